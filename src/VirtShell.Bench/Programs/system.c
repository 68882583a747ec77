// System programs: what a kernel does for its processes.
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t system_calls(unsigned percent)
{
    uint64_t first = (uint64_t)syscall(SYS_getppid), same = 0, count = amount(300000, percent);
    for (uint64_t i = 0; i < count; i++)
        same += (uint64_t)syscall(SYS_getppid) == first;
    return same;
}

static uint64_t page_faults(unsigned percent)
{
    enum { PAGE = 4096, PAGES = 512 };
    uint64_t sum = 0;
    for (uint64_t round = amount(40, percent); round > 0; round--) {
        uint8_t *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED)
            bench_fail("mmap");
        // Page by page, also where the kernel would hand out large ones.
        madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE);
        for (int i = 0; i < PAGES; i++) {
            sum += area[i * PAGE];
            area[i * PAGE] = (uint8_t)i;
        }
        sum = mix(sum, area[(round & 255) * PAGE]);
        if (munmap(area, PAGES * PAGE) != 0)
            bench_fail("munmap");
    }
    return sum;
}

static uint64_t spawn(unsigned percent)
{
    uint64_t sum = 0;
    for (uint64_t round = amount(200, percent); round > 0; round--) {
        pid_t child = fork();
        if (child < 0)
            bench_fail("fork");
        if (child == 0) {
            char *words[] = { "spawned", NULL }, *environment[] = { NULL };
            execve(bench_spawned, words, environment);
            _exit(1);
        }
        int status = -1;
        if (waitpid(child, &status, 0) != child || status != 0)
            bench_fail(bench_spawned);
        sum = mix(sum, (uint64_t)status + round);
    }
    return sum;
}

static uint64_t ping_pong(unsigned percent)
{
    int there[2], back[2];
    uint64_t sum = 0, count = amount(3000, percent);
    if (pipe(there) != 0 || pipe(back) != 0)
        bench_fail("pipe");
    pid_t child = fork();
    if (child < 0)
        bench_fail("fork");
    uint64_t ball;
    if (child == 0) {
        for (uint64_t i = 0; i < count; i++) {
            if (read(there[0], &ball, sizeof ball) != sizeof ball)
                _exit(1);
            ball = ball * 3 + 1;
            if (write(back[1], &ball, sizeof ball) != sizeof ball)
                _exit(1);
        }
        _exit(0);
    }
    for (uint64_t i = 0; i < count; i++) {
        ball = i;
        if (write(there[1], &ball, sizeof ball) != sizeof ball || read(back[0], &ball, sizeof ball) != sizeof ball)
            bench_fail("pipe");
        sum = mix(sum, ball);
    }
    waitpid(child, NULL, 0);
    return sum;
}

static uint64_t files(unsigned percent)
{
    static char out[16384], in[16384];
    char path[256];
    uint64_t sum = 0, count = amount(5000, percent);
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)(i * 7);
    for (uint64_t i = 0; i < count; i++) {
        size_t size = (size_t)(i * 613 % sizeof out) + 1;
        snprintf(path, sizeof path, "%s/bench-%llu", bench_folder, (unsigned long long)(i & 63));
        int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (file < 0)
            bench_fail(path);
        if (write(file, out, size) != (ssize_t)size || lseek(file, 0, SEEK_SET) != 0 || read(file, in, sizeof in) != (ssize_t)size)
            bench_fail(path);
        close(file);
        if (unlink(path) != 0)
            bench_fail(path);
        sum = mix(sum, (uint8_t)in[size - 1] + size);
    }
    return sum;
}

const struct bench_program system_programs[] = {
    { "system-calls", system_calls }, { "page-faults", page_faults }, { "spawn", spawn }, { "ping-pong", ping_pong }, { "files", files }, { NULL, NULL },
};
