/* The matcher's arithmetic over stored clips, compiled: `clip_similarities.py` has the same in numpy and checks all that
 * comes here. Plain C with the vector extensions of GCC and Clang; one build has a variant for each kind of processor.
 */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__GNUC__)
#error "only GCC and Clang have these vector extensions; without them hgrkit computes with numpy"
#endif

#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

#define JOINED_(name, variant) name##_##variant
#define JOINED(name, variant) JOINED_(name, variant)

enum { AHEAD = 8192 }; /* bytes between an event and what is fetched meanwhile; 2048 takes a third longer, 16384 as long */
enum { NODES = 4 }; /* compared with a clip at once: as many sums as 16 registers hold */

static const float EPSILON = 1e-10f; /* the smallest length that a vector is divided by, as in frame_weights.py */

/* Rows of D numbers, float16 or float32; `stride` is the distance of two rows in bytes. */
typedef struct {
    const char *data;
    ptrdiff_t stride;
    ptrdiff_t dim;
    int32_t half;
} Rows;

/* P nodes of length one; each row is filled up with zeros to `width`, a multiple of 16. */
typedef struct {
    const float *data;
    ptrdiff_t count;
    ptrdiff_t width;
} Units;

typedef struct {
    float sharpness;
    int32_t embed; /* the fusion `embed`; otherwise `sim` */
} Settings;

/* What one clip's frames and NODES nodes take: each array has `padded` numbers a row. */
typedef struct {
    ptrdiff_t padded; /* frames, filled up to a multiple of 16 */
    float *lengths;   /* [padded] */
    float *cosines;   /* [NODES, padded] */
    float *weights;   /* [NODES, padded] */
} Scratch;

typedef float Floats4 __attribute__((vector_size(16)));

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,f16c")))
#define AVX512 __attribute__((target("avx512f,avx2,fma,f16c")))

/* With generic vectors, parts of a vector go through memory: that takes a third of a clip's time. */
static inline __attribute__((always_inline)) AVX2 Floats4 folded8(__m256 values) {
    return (Floats4)_mm_add_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
}

static inline __attribute__((always_inline)) AVX512 Floats4 folded16(__m512 values) {
    __m256 upper = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(values), 1));
    return folded8(_mm256_add_ps(_mm512_castps512_ps256(values), upper));
}

/* Rounds numbers to float16; returns the largest magnitude. */
static AVX2 float rounded_avx2(const float *from, ptrdiff_t count, char *to) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 largest = _mm256_setzero_ps();
    for (ptrdiff_t i = 0; i < count; i += 8) {
        const ptrdiff_t left = count - i < 8 ? count - i : 8;
        float numbers[8] = {0};
        if (left < 8) memcpy(numbers, from + i, (size_t)left * sizeof(float));
        const __m256 values = _mm256_loadu_ps(left < 8 ? numbers : from + i);
        const __m128i halves = _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        largest = _mm256_max_ps(largest, _mm256_andnot_ps(sign, values));
        memcpy(to + 2 * i, &halves, 2 * (size_t)left);
    }
    float lanes[8], most = 0.0f;
    _mm256_storeu_ps(lanes, largest);
    for (int lane = 0; lane < 8; lane++)
        if (lanes[lane] > most) most = lanes[lane];
    return most;
}

#define VARIANT avx512
#define LANES 16
#define TARGET AVX512
#define FOLDED(values) folded16((__m512)(values))
#define HALF_LOAD(at) (Floats)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(at)))
#include "kernel_variant.h"

#define VARIANT avx2
#define LANES 8
#define TARGET AVX2
#define FOLDED(values) folded8((__m256)(values))
#define HALF_LOAD(at) (Floats)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(at)))
#include "kernel_variant.h"
#endif

#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>

#define VARIANT neon
#define LANES 4
#define TARGET
#define FOLDED(values) (values)
#define HALF_LOAD(at) (Floats)vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)(at))))
#include "kernel_variant.h"
#endif

#define VARIANT portable
#define LANES 4
#define TARGET
#define FOLDED(values) (values)
#include "kernel_variant.h"

typedef struct {
    const char *name;
    int (*runs_here)(void);
    void (*clip)(const Rows *, const char *, ptrdiff_t, ptrdiff_t, const Units *, const Settings *, const Scratch *,
                 float *, float *);
    void (*cosines)(const Rows *, ptrdiff_t, const Units *, float *);
    float (*rounded)(const float *, ptrdiff_t, char *); /* NULL where numpy is as fast */
} Kernel;

static int always(void) { return 1; }

#if defined(__x86_64__) || defined(__i386__)
static int has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}
static int has_avx512(void) { return __builtin_cpu_supports("avx512f") && has_avx2(); }
#endif

static const Kernel KERNELS[] = {
#if defined(__x86_64__) || defined(__i386__)
    {"avx512", has_avx512, clip_avx512, cosines_avx512, rounded_avx2},
    {"avx2", has_avx2, clip_avx2, cosines_avx2, rounded_avx2},
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
    {"neon", always, clip_neon, cosines_neon, NULL},
#endif
    {"portable", always, clip_portable, cosines_portable, NULL},
};

/* Changes with the arguments of the functions below; a library of another version is not used. */
EXPORTED int32_t hgrkit_kernel_version(void) { return 4; }

/* The name of the i-th variant that runs here, the fastest first; NULL after the last. */
EXPORTED const char *hgrkit_kernel_name(int32_t i) {
    for (size_t k = 0; k < sizeof KERNELS / sizeof *KERNELS; k++)
        if (KERNELS[k].runs_here() && i-- == 0) return KERNELS[k].name;
    return NULL;
}

static const Kernel *named(const char *name) {
    for (size_t k = 0; k < sizeof KERNELS / sizeof *KERNELS; k++)
        if (strcmp(KERNELS[k].name, name) == 0 && KERNELS[k].runs_here()) return &KERNELS[k];
    return NULL;
}

/* Similarities [V, P] of V clips; where `weights` is not NULL, also the frames' weights of clip v, [P, counts[v]], at
 * `weights + P * offsets[v]`. Returns 0, or -1 if there is no such variant or no memory.
 */
EXPORTED int32_t hgrkit_similarities(const char *variant, const Rows *frames, const int64_t *starts,
                                     const int64_t *counts, int64_t num_clips, const Units *nodes,
                                     const Settings *settings, float *similarities, const int64_t *offsets,
                                     float *weights) {
    const Kernel *kernel = named(variant);
    if (kernel == NULL) return -1;
    int64_t longest = 1;
    for (int64_t v = 0; v < num_clips; v++)
        if (counts[v] > longest) longest = counts[v];
    size_t padded = ((size_t)longest + 15) / 16 * 16;
    float *memory = malloc(padded * (2 * NODES + 1) * sizeof(float));
    if (memory == NULL) return -1;
    Scratch scratch = {(ptrdiff_t)padded, memory, memory + padded, memory + (1 + NODES) * padded};
    for (int64_t v = 0; v < num_clips; v++) {
        const int64_t next = v + 1 < num_clips ? starts[v + 1] - starts[v] : 0;
        kernel->clip(frames, frames->data + starts[v] * frames->stride, next * frames->stride, (ptrdiff_t)counts[v],
                     nodes, settings, &scratch, similarities + v * nodes->count,
                     weights == NULL ? NULL : weights + nodes->count * offsets[v]);
    }
    free(memory);
    return 0;
}

/* Cosines [N] of N rows and one node. Returns 0, or -1 if there is no such variant. */
EXPORTED int32_t hgrkit_cosines(const char *variant, const Rows *rows, int64_t num_rows, const Units *node,
                                float *cosines) {
    const Kernel *kernel = named(variant);
    if (kernel == NULL) return -1;
    kernel->cosines(rows, (ptrdiff_t)num_rows, node, cosines);
    return 0;
}

/* Of the cheapest way to cut each first part of F frames, where its last scene begins: `previous` [F + 1]. `gram` [F, F]
 * holds the frames' inner products; `cut_scenes` says what scenes cost. Returns 0, or -1 if there is no memory.
 */
EXPORTED int32_t hgrkit_scenes(const float *gram, int64_t num_frames, double penalty, int64_t shortest,
                               int64_t *previous) {
    double *memory = calloc((size_t)(3 * (num_frames + 1)), sizeof(double));
    if (memory == NULL) return -1;
    double *costs = memory, *squares = costs + num_frames + 1, *within = squares + num_frames + 1;
    previous[0] = 0;
    for (int64_t stop = 1; stop <= num_frames; stop++) {
        const float *row = gram + (stop - 1) * num_frames;
        double before = 0; /* inner products of the scene's last frame and those before it */
        costs[stop] = INFINITY;
        previous[stop] = 0;
        squares[stop] = squares[stop - 1] + row[stop - 1];
        for (int64_t start = stop - 1; start >= 0; start--) {
            if (start < stop - 1) before += row[start];
            within[start] += row[stop - 1] + 2 * before; /* inner products of all of its frames */
            const int64_t length = stop - start;
            if (length < shortest && length < num_frames) continue;
            const double cost = costs[start] + squares[stop] - squares[start] - within[start] / (double)length + penalty;
            if (cost <= costs[stop]) {
                costs[stop] = cost;
                previous[stop] = start;
            }
        }
    }
    free(memory);
    return 0;
}

/* Rounds N rows of float32 that lie end to end to float16, in rows that begin `stride` bytes apart. Returns the largest
 * magnitude, or -1 if the variant does not do that.
 */
EXPORTED float hgrkit_rounded(const char *variant, const float *rows, int64_t num_rows, int64_t dim, char *halves,
                              int64_t stride) {
    const Kernel *kernel = named(variant);
    if (kernel == NULL || kernel->rounded == NULL) return -1.0f;
    float largest = 0.0f;
    for (int64_t row = 0; row < num_rows; row++) {
        const float most = kernel->rounded(rows + row * dim, (ptrdiff_t)dim, halves + row * stride);
        if (most > largest) largest = most;
    }
    return largest;
}

#include "kernel_mapping.h"
