// Integer programs: what compilers, shells, interpreters and checksums are made of.
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static uint64_t sieve(unsigned percent)
{
    enum { LIMIT = 1 << 20 };
    static uint8_t composite[LIMIT];
    uint64_t sum = 0;
    for (uint64_t round = amount(10, percent); round > 0; round--) {
        memset(composite, 0, LIMIT);
        uint32_t primes = 0;
        for (uint32_t i = 2; i < LIMIT; i++) {
            if (composite[i])
                continue;
            primes++;
            for (uint32_t j = i * 2; j < LIMIT; j += i)
                composite[j] = 1;
        }
        sum = mix(sum, primes);
    }
    return sum;
}

static uint64_t crc32(unsigned percent)
{
    static uint32_t table[256];
    static uint8_t data[1 << 16];
    uint64_t seed = 88172645463325252ull;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0xEDB88320u : value >> 1;
        table[i] = value;
    }
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = next_random(&seed);
    uint32_t crc = ~0u;
    for (uint64_t round = amount(300, percent); round > 0; round--)
        for (size_t i = 0; i < sizeof data; i++)
            crc = table[(crc ^ data[i]) & 0xFF] ^ crc >> 8;
    return ~crc;
}

static const uint32_t sha_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void sha_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[i * 4] << 24 | block[i * 4 + 1] << 16 | block[i * 4 + 2] << 8 | block[i * 4 + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + sha_constants[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static uint64_t sha256(unsigned percent)
{
    static uint8_t data[1 << 14];
    uint32_t state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    uint64_t seed = 1234567;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = next_random(&seed);
    for (uint64_t round = amount(500, percent); round > 0; round--)
        for (size_t i = 0; i < sizeof data; i += 64)
            sha_block(state, data + i);
    return (uint64_t)state[0] << 32 | state[1];
}

static void quicksort(int32_t *a, long low, long high)
{
    while (low < high) {
        int32_t pivot = a[(low + high) / 2];
        long i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot)
                i++;
            while (a[j] > pivot)
                j--;
            if (i <= j) {
                int32_t t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        quicksort(a, low, j);
        low = i;
    }
}

static uint64_t sort(unsigned percent)
{
    enum { COUNT = 100000 };
    static int32_t a[COUNT];
    uint64_t seed = 42, sum = 0;
    for (uint64_t round = amount(6, percent); round > 0; round--) {
        for (int i = 0; i < COUNT; i++)
            a[i] = next_random(&seed);
        quicksort(a, 0, COUNT - 1);
        for (int i = 0; i < COUNT; i += 1000)
            sum = mix(sum, (uint32_t)a[i]);
    }
    return sum;
}

// A register machine: one switch, an indirect jump for each step.
enum { OP_LOAD, OP_ADD, OP_SUB, OP_MUL, OP_XOR, OP_SHIFT, OP_STORE, OP_FETCH, OP_LOOP, OP_END };

static uint64_t bytecode(unsigned percent)
{
    static const uint8_t program[] = {
        OP_LOAD, 0, 7, OP_LOAD, 1, 13, OP_ADD, 0, 1, OP_MUL, 1, 0, OP_XOR, 2, 1, OP_STORE, 2, 5, OP_SHIFT, 2, 3, OP_ADD, 3, 2,
        OP_FETCH, 4, 5, OP_SUB, 4, 3, OP_XOR, 5, 4, OP_ADD, 5, 0, OP_STORE, 5, 9, OP_FETCH, 6, 9, OP_ADD, 3, 6, OP_LOOP, 7, 6, OP_END, 0, 0,
    };
    uint64_t r[8] = { 0 }, memory[16] = { 0 };
    r[7] = amount(1000000, percent);
    for (const uint8_t *pc = program;; pc += 3) {
        uint64_t *a = &r[pc[1] & 7];
        unsigned b = pc[2];
        switch (pc[0]) {
        case OP_LOAD: *a = b; break;
        case OP_ADD: *a += r[b & 7]; break;
        case OP_SUB: *a -= r[b & 7]; break;
        case OP_MUL: *a = *a * 31 + r[b & 7]; break;
        case OP_XOR: *a ^= r[b & 7]; break;
        case OP_SHIFT: *a = *a << b | *a >> (64 - b); break;
        case OP_STORE: memory[b & 15] = *a; break;
        case OP_FETCH: *a = memory[b & 15]; break;
        case OP_LOOP:
            if (--*a)
                pc = program + b - 3;
            break;
        default: return r[3] ^ r[5];
        }
    }
}

// GCC would unroll the recursion into itself many times over; what is measured here is calls.
__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls", "no-inline"))) static uint64_t fibonacci(unsigned n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint64_t calls(unsigned percent)
{
    uint64_t sum = 0;
    for (uint64_t round = amount(160, percent); round > 0; round--)
        sum += fibonacci(25 + (round & 1));
    return sum;
}

struct shape;
struct shape_class {
    uint64_t (*area)(const struct shape *);
    void (*grow)(struct shape *, uint64_t);
};
struct shape {
    const struct shape_class *class;
    uint64_t a, b;
};

static uint64_t square_area(const struct shape *s) { return s->a * s->a; }
static uint64_t oblong_area(const struct shape *s) { return s->a * s->b; }
static uint64_t corner_area(const struct shape *s) { return s->a * s->b / 2; }
static uint64_t ring_area(const struct shape *s) { return s->a * s->a - s->b; }
static void grow_one(struct shape *s, uint64_t by) { s->a += by; }
static void grow_both(struct shape *s, uint64_t by) { s->a += by, s->b ^= by; }

static uint64_t virtual_calls(unsigned percent)
{
    static const struct shape_class classes[] = {
        { square_area, grow_one }, { oblong_area, grow_both }, { corner_area, grow_both }, { ring_area, grow_one },
    };
    enum { COUNT = 1024 };
    static struct shape shapes[COUNT];
    uint64_t seed = 99, sum = 0;
    for (int i = 0; i < COUNT; i++)
        shapes[i] = (struct shape){ &classes[next_random(&seed) & 3], i, i * 3 };
    for (uint64_t round = amount(3000, percent); round > 0; round--)
        for (int i = 0; i < COUNT; i++) {
            sum += shapes[i].class->area(&shapes[i]);
            shapes[i].class->grow(&shapes[i], sum & 7);
        }
    return sum;
}

static uint64_t chase(unsigned percent)
{
    enum { COUNT = 1 << 15 };
    struct node {
        struct node *next;
        uint64_t value;
    };
    static struct node nodes[COUNT];
    static uint32_t order[COUNT];
    uint64_t seed = 7, sum = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        order[i] = i;
    for (uint32_t i = COUNT - 1; i > 0; i--) {
        uint32_t j = next_random(&seed) % (i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        nodes[order[i]] = (struct node){ &nodes[order[(i + 1) % COUNT]], i };
    struct node *at = nodes;
    for (uint64_t step = amount(8000000, percent); step > 0; step--) {
        sum += at->value;
        at = at->next;
    }
    return sum;
}

const struct bench_program integer_programs[] = {
    { "sieve", sieve }, { "crc32", crc32 }, { "sha256", sha256 }, { "quicksort", sort }, { "bytecode", bytecode },
    { "calls", calls }, { "virtual-calls", virtual_calls }, { "pointer-chase", chase }, { NULL, NULL },
};
