// Runs the programs of a list, one after the other, each in a child process between two marks:
//
//     @begin NAME
//     @end NAME CHECKSUM [PROCESSOR TIME]
//
// (The processor time, in nanoseconds, only on the host itself, where it is true.)
//
// As init of a guest it writes the marks straight to the first serial port, so that neither the terminal layer nor a buffer
// moves them in time; elsewhere to standard output. Whoever reads them holds the clock: a guest's own is not to be trusted.
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERIAL_DATA = 0x3F8, SERIAL_STATUS = 0x3FD, SERIAL_EMPTY = 0x20, SERIAL_PATIENCE = 100000 };

const char *bench_folder = "/tmp", *bench_spawned = "/bin/spawned";

static const struct bench_program *const groups[] = { integer_programs, memory_programs, floating_programs, system_programs };
static int is_guest;

static void tell(const char *text)
{
    size_t length = strlen(text);
    if (!is_guest) {
        if (write(STDOUT_FILENO, text, length) < 0)
            _exit(1);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        for (int patience = SERIAL_PATIENCE; patience > 0 && !(inb(SERIAL_STATUS) & SERIAL_EMPTY); patience--)
            ;
        outb(text[i], SERIAL_DATA);
    }
}

static void tell_mark(const char *mark, const char *name, const char *more)
{
    char line[256];
    snprintf(line, sizeof line, "\n@%s %s%s%s\n", mark, name, *more ? " " : "", more);
    tell(line);
}

void bench_fail(const char *what)
{
    char line[256];
    snprintf(line, sizeof line, "\n@error %s: %s\n", what, strerror(errno));
    tell(line);
    _exit(3);
}

static const struct bench_program *find(const char *name)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        for (const struct bench_program *p = groups[g]; p->name; p++)
            if (!strcmp(p->name, name))
                return p;
    return NULL;
}

// Nanoseconds of processor time of this process and of its children that have ended.
static uint64_t processor_time(void)
{
    static const int whom[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
    uint64_t sum = 0;
    for (int i = 0; i < 2; i++) {
        struct rusage used;
        getrusage(whom[i], &used);
        sum += (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000 + (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000;
    }
    return sum;
}

static void run(const char *name, unsigned percent)
{
    const struct bench_program *program = find(name);
    if (!program) {
        tell_mark("failed", name, "unknown");
        return;
    }
    pid_t child = fork();
    if (child < 0)
        bench_fail("fork");
    if (child == 0) {
        char text[64];
        tell_mark("begin", name, "");
        uint64_t before = is_guest ? 0 : processor_time();
        uint64_t sum = program->work(percent);
        if (is_guest)
            snprintf(text, sizeof text, "%016llx", (unsigned long long)sum);
        else
            snprintf(text, sizeof text, "%016llx %llu", (unsigned long long)sum, (unsigned long long)(processor_time() - before));
        tell_mark("end", name, text);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
        char text[32];
        snprintf(text, sizeof text, "status %x", status);
        tell_mark("failed", name, text);
    }
}

// Lines "NAME PERCENT".
static void run_list(const char *path)
{
    FILE *list = fopen(path, "r");
    if (!list)
        bench_fail(path);
    char name[64];
    unsigned percent;
    while (fscanf(list, "%63s %u", name, &percent) == 2)
        run(name, percent);
    fclose(list);
}

static void become_guest(void)
{
    is_guest = 1;
    if (iopl(3) != 0)
        _exit(2);
    mkdir("/tmp", 0777);
    if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) != 0)
        bench_fail("mount");
}

int main(int count, char **words)
{
    if (getpid() == 1) {
        become_guest();
        run_list("/bench.list");
        tell("\n@done\n");
        reboot(RB_POWER_OFF);
        for (;;)
            pause();
    }
    if (count != 4) {
        fprintf(stderr, "usage: %s LIST FOLDER SPAWNED\n", words[0]);
        return 2;
    }
    bench_folder = words[2];
    bench_spawned = words[3];
    run_list(words[1]);
    tell("\n@done\n");
    return 0;
}
