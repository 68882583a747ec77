// What every program of the comparison has: a name, and work that gives a checksum.
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

// How much work: 100 is the normal amount. Gives a checksum that depends on the amount alone.
typedef uint64_t (*bench_work)(unsigned percent);

struct bench_program {
    const char *name;
    bench_work work;
};

extern const struct bench_program integer_programs[], memory_programs[], floating_programs[], system_programs[];

// Where files may be made, and a program that ends at once.
extern const char *bench_folder, *bench_spawned;

// The amount of work: at least one.
static inline uint64_t amount(uint64_t normal, unsigned percent)
{
    uint64_t scaled = normal * percent / 100;
    return scaled ? scaled : 1;
}

static inline uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static inline uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 0x100000001B3ull;
}

// Stops the work with a message: the result would mean nothing.
void bench_fail(const char *what);

#endif
