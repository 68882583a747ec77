// Memory programs: the C library's own copy, set and scan, which choose their code by what CPUID offers.
#include "bench.h"

#include <stdlib.h>
#include <string.h>

// Keeps the compiler from seeing through a buffer.
static void *opaque(void *p)
{
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

// Many sizes, as programs have them, from a few bytes to whole pages.
static const uint32_t sizes[] = { 24, 4096, 7, 200, 16384, 64, 1000, 33, 65536, 512 };
enum { SIZES = sizeof sizes / sizeof *sizes, BUFFER = 1 << 18 };

static uint64_t copy(unsigned percent)
{
    static uint8_t from[BUFFER], to[BUFFER];
    uint64_t seed = 3, sum = 0;
    for (size_t i = 0; i < BUFFER; i++)
        from[i] = next_random(&seed);
    for (uint64_t round = amount(2500, percent); round > 0; round--) {
        for (int i = 0; i < SIZES; i++) {
            size_t at = (round * 97 + i * 4099) & (BUFFER / 2 - 1);
            memcpy(opaque(to + at), opaque(from + (at ^ 13)), sizes[i]);
        }
        sum = mix(sum, to[(round * 97) & (BUFFER / 2 - 1)]);
    }
    return sum;
}

static uint64_t set(unsigned percent)
{
    static uint8_t to[BUFFER];
    uint64_t sum = 0;
    for (uint64_t round = amount(40000, percent); round > 0; round--) {
        for (int i = 0; i < SIZES; i++)
            memset(opaque(to + ((round * 61 + i * 4099) & (BUFFER / 2 - 1))), (int)round + i, sizes[i]);
        sum = mix(sum, to[(round * 89) & (BUFFER / 2 - 1)]);
    }
    return sum;
}

static uint64_t scan(unsigned percent)
{
    static char text[BUFFER];
    uint64_t seed = 5, sum = 0;
    for (size_t i = 0; i < BUFFER - 1; i++)
        text[i] = 'a' + next_random(&seed) % 26;
    for (size_t i = 37; i < BUFFER - 1; i += 20 + next_random(&seed) % 60)
        text[i] = ' ';
    for (uint64_t round = amount(1000, percent); round > 0; round--) {
        char *p = opaque(text);
        sum = mix(sum, strlen(p));
        for (char *word; (word = strchr(p, ' ')) != NULL; p = word + 1)
            sum += (uint64_t)(word - p);
        sum = mix(sum, (uint64_t)(strstr(opaque(text), "zzzz") - text));
        sum = mix(sum, (uint64_t)((char *)memchr(opaque(text), 0, BUFFER) - text));
    }
    return sum;
}

const struct bench_program memory_programs[] = { { "copy", copy }, { "set", set }, { "scan", scan }, { NULL, NULL } };
