// Floating-point and SIMD programs. No libm: its functions choose their code by CPUID, and results could differ.
#include "bench.h"

#include <emmintrin.h>
#include <string.h>

static uint64_t bits(double x)
{
    uint64_t value;
    memcpy(&value, &x, sizeof value);
    return value;
}

static double square_root(double x)
{
    return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_set_sd(x), _mm_set_sd(x)));
}

// Five bodies under gravity, by a symplectic step.
static uint64_t nbody(unsigned percent)
{
    enum { BODIES = 5 };
    static double p[BODIES][3] = { { 0, 0, 0 }, { 4.84, -1.16, -0.10 }, { 8.34, 4.12, -0.40 }, { 12.89, -15.11, -0.22 }, { 15.37, -25.91, 0.17 } };
    static double v[BODIES][3] = { { 0, 0, 0 }, { 0.60, 2.81, -0.02 }, { -1.01, 1.82, 0.008 }, { 1.08, 0.86, -0.010 }, { 0.97, 0.59, -0.034 } };
    static const double mass[BODIES] = { 39.47, 0.037, 0.011, 0.0017, 0.0020 };
    for (uint64_t step = amount(300000, percent); step > 0; step--) {
        for (int i = 0; i < BODIES; i++)
            for (int j = i + 1; j < BODIES; j++) {
                double x = p[i][0] - p[j][0], y = p[i][1] - p[j][1], z = p[i][2] - p[j][2];
                double squared = x * x + y * y + z * z;
                double pull = 0.001 / (squared * square_root(squared));
                v[i][0] -= x * mass[j] * pull, v[i][1] -= y * mass[j] * pull, v[i][2] -= z * mass[j] * pull;
                v[j][0] += x * mass[i] * pull, v[j][1] += y * mass[i] * pull, v[j][2] += z * mass[i] * pull;
            }
        for (int i = 0; i < BODIES; i++)
            for (int k = 0; k < 3; k++)
                p[i][k] += 0.001 * v[i][k];
    }
    uint64_t sum = 0;
    for (int i = 0; i < BODIES; i++)
        sum = mix(sum, bits(p[i][0])), sum = mix(sum, bits(v[i][2]));
    return sum;
}

enum { N = 96 };
static double a[N][N] __attribute__((aligned(16))), b[N][N] __attribute__((aligned(16))), c[N][N] __attribute__((aligned(16)));

static void fill(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i][j] = (i * 3 + j) % 17 * 0.25, b[i][j] = (i + j * 5) % 13 * 0.5 - 1, c[i][j] = 0;
}

static uint64_t sum_up(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum = mix(sum, bits(c[i][j]));
    return sum;
}

__attribute__((optimize("no-tree-vectorize"))) static uint64_t matrix_scalar(unsigned percent)
{
    fill();
    for (uint64_t round = amount(30, percent); round > 0; round--)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double sum = c[i][j];
                for (int k = 0; k < N; k++)
                    sum += a[i][k] * b[k][j];
                c[i][j] = sum * 0.5;
            }
    return sum_up();
}

static uint64_t matrix_packed(unsigned percent)
{
    fill();
    for (uint64_t round = amount(100, percent); round > 0; round--)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j += 4) {
                __m128d low = _mm_load_pd(&c[i][j]), high = _mm_load_pd(&c[i][j + 2]);
                for (int k = 0; k < N; k++) {
                    __m128d factor = _mm_set1_pd(a[i][k]);
                    low = _mm_add_pd(low, _mm_mul_pd(factor, _mm_load_pd(&b[k][j])));
                    high = _mm_add_pd(high, _mm_mul_pd(factor, _mm_load_pd(&b[k][j + 2])));
                }
                __m128d half = _mm_set1_pd(0.5);
                _mm_store_pd(&c[i][j], _mm_mul_pd(low, half));
                _mm_store_pd(&c[i][j + 2], _mm_mul_pd(high, half));
            }
    return sum_up();
}

// Two pictures blended and compared: packed integers, as codecs have them.
static uint64_t pixels(unsigned percent)
{
    enum { BYTES = 1 << 16 };
    static uint8_t x[BYTES] __attribute__((aligned(16))), y[BYTES] __attribute__((aligned(16)));
    uint64_t seed = 11, sum = 0;
    for (int i = 0; i < BYTES; i++)
        x[i] = next_random(&seed), y[i] = next_random(&seed);
    for (uint64_t round = amount(4500, percent); round > 0; round--) {
        __m128i difference = _mm_setzero_si128();
        for (int i = 0; i < BYTES; i += 16) {
            __m128i p = _mm_load_si128((const __m128i *)(x + i)), q = _mm_load_si128((const __m128i *)(y + i));
            difference = _mm_add_epi64(difference, _mm_sad_epu8(p, q));
            __m128i low = _mm_mullo_epi16(_mm_unpacklo_epi8(p, _mm_setzero_si128()), _mm_set1_epi16(3));
            __m128i high = _mm_mullo_epi16(_mm_unpackhi_epi8(p, _mm_setzero_si128()), _mm_set1_epi16(3));
            __m128i scaled = _mm_packus_epi16(_mm_srli_epi16(low, 2), _mm_srli_epi16(high, 2));
            _mm_store_si128((__m128i *)(x + i), _mm_avg_epu8(_mm_adds_epu8(scaled, _mm_set1_epi8(9)), q));
        }
        sum = mix(sum, (uint64_t)_mm_cvtsi128_si64(difference) + (uint64_t)_mm_cvtsi128_si64(_mm_srli_si128(difference, 8)));
    }
    return sum;
}

const struct bench_program floating_programs[] = {
    { "nbody", nbody }, { "matrix-scalar", matrix_scalar }, { "matrix-packed", matrix_packed }, { "pixels", pixels }, { NULL, NULL },
};
