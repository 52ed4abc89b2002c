/* One variant of the kernel, included by `kernel.c` once for each kind of processor with these macros:
 * VARIANT, a suffix of names; LANES, numbers in a vector; TARGET, the attribute that lets a function use the
 * processor's instructions; FOLDED, which adds up a vector to four numbers; HALF_LOAD, which reads LANES float16,
 * unless every processor can run the variant.
 *
 * Sums run in the same order wherever a clip, a frame or a node stands, so that a result depends on nothing else.
 */

#define INLINE static inline __attribute__((always_inline)) TARGET
#define Floats JOINED(Floats, VARIANT)
#define Bits JOINED(Bits, VARIANT)
#define Shorts JOINED(Shorts, VARIANT)
#define load JOINED(load, VARIANT)
#define load_rest JOINED(load_rest, VARIANT)
#define total JOINED(total, VARIANT)
#define larger JOINED(larger, VARIANT)
#define exponential JOINED(exponential, VARIANT)
#define dots JOINED(dots, VARIANT)
#define compare JOINED(compare, VARIANT)
#define align JOINED(align, VARIANT)
#define attend JOINED(attend, VARIANT)
#define attended_length JOINED(attended_length, VARIANT)
#define fuse JOINED(fuse, VARIANT)
#define clip_block JOINED(clip_block, VARIANT)

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));
typedef uint16_t Shorts __attribute__((vector_size(2 * LANES)));

/* LANES numbers at an address that need not be aligned. */
INLINE Floats load(const char *at, const int half) {
    Floats values;
    if (!half) {
        memcpy(&values, at, sizeof values);
        return values;
    }
#if defined(HALF_LOAD)
    return HALF_LOAD(at);
#else
    Shorts bits;
    memcpy(&bits, at, sizeof bits);
    Bits wide = __builtin_convertvector(bits, Bits);
    Bits magnitude = (wide & 0x7fff) << 13; /* exponent and fraction as in float32, but for the exponent's bias */
    Bits infinite = (Bits)(magnitude >= 0x0f800000) & 0x7f800000; /* infinity and NaN keep the highest exponent */
    values = (Floats)magnitude * 0x1p112f;
    return (Floats)((Bits)values | infinite | (wide & 0x8000) << 16);
#endif
}

/* Fewer than LANES numbers, and zeros. */
INLINE Floats load_rest(const char *at, ptrdiff_t count, const int half) {
    char bytes[sizeof(Floats)] = {0};
    memcpy(bytes, at, (size_t)count * (half ? 2 : 4));
    return load(bytes, half);
}

INLINE float total(Floats values) {
    Floats4 sums = FOLDED(values);
    return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

INLINE Floats larger(Floats one, Floats other) {
    Bits first = (Bits)(one > other);
    return (Floats)((first & (Bits)one) | (~first & (Bits)other));
}

/* exp of numbers of at most 0, to about 2e-7 of each; 1e-38 and less become about 0. Cephes' polynomial. */
INLINE Floats exponential(Floats x) {
    const Floats zero = {0};
    x = larger(x, zero - 87.0f);
    Floats shifted = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the last bits are the power of two, rounded */
    Floats power = shifted - 12582912.0f;
    Floats rest = x - power * 0.693359375f + power * 2.12194440e-4f;
    Floats sum = zero + 1.9875691500e-4f;
    sum = sum * rest + 1.3981999507e-3f;
    sum = sum * rest + 8.3334519073e-3f;
    sum = sum * rest + 4.1665795894e-2f;
    sum = sum * rest + 1.6666665459e-1f;
    sum = sum * rest + 5.0000001201e-1f;
    sum = sum * rest * rest + rest + 1.0f;
    return (Floats)((Bits)sum + ((Bits)shifted << 23));
}

/* Cosines of `num_rows` rows and `num_nodes` nodes, constants both, into [num_nodes, padded], and the rows' lengths.
 * What lies `ahead` bytes further is fetched for later, which halves the time of clips that are in no cache.
 */
INLINE void dots(const Rows *rows, const char *row, ptrdiff_t ahead, const int num_rows, const float *nodes, ptrdiff_t width,
                 const int num_nodes, ptrdiff_t padded, const int half, float *cosines, float *lengths) {
    Floats dot[4][NODES] = {{{0}}}, square[4] = {{0}}, values[4];
    const ptrdiff_t size = half ? 2 : 4;
    for (ptrdiff_t d = 0; d < rows->dim; d += LANES) {
        for (int t = 0; t < num_rows; t++) {
            const char *at = row + t * rows->stride + d * size;
            __builtin_prefetch((const void *)((uintptr_t)at + (uintptr_t)ahead)); /* may be no memory of ours */
            values[t] = rows->dim - d >= LANES ? load(at, half) : load_rest(at, rows->dim - d, half);
            square[t] += values[t] * values[t];
        }
        for (int p = 0; p < num_nodes; p++) {
            Floats node = load((const char *)(nodes + p * width + d), 0);
            for (int t = 0; t < num_rows; t++) dot[t][p] += values[t] * node;
        }
    }
    for (int t = 0; t < num_rows; t++) {
        float length = sqrtf(total(square[t]));
        lengths[t] = length;
        for (int p = 0; p < num_nodes; p++)
            cosines[p * padded + t] = total(dot[t][p]) / (length > EPSILON ? length : EPSILON);
    }
}

/* The same for any number of rows: some at once, so that a node is read once for them, and then one by one. */
INLINE void compare(const Rows *rows, const char *first, ptrdiff_t ahead, ptrdiff_t count, const float *nodes, ptrdiff_t width,
                    const int num_nodes, ptrdiff_t padded, const int half, float *cosines, float *lengths) {
    const int together = num_nodes == 1 ? 4 : 2;
    ptrdiff_t t = 0;
    for (; t + together <= count; t += together)
        dots(rows, first + t * rows->stride, ahead, together, nodes, width, num_nodes, padded, half, cosines + t, lengths + t);
    for (; t < count; t++)
        dots(rows, first + t * rows->stride, ahead, 1, nodes, width, num_nodes, padded, half, cosines + t, lengths + t);
}

/* Weights that sum to one from the cosines of a node and `count` frames; zeros beyond. */
INLINE void align(const float *cosines, ptrdiff_t count, float sharpness, float *weights) {
    const Floats zero = {0};
    Floats squares = zero, highest = zero, sums = zero;
    for (ptrdiff_t t = 0; t < count; t += LANES) {
        Floats positive = larger(load((const char *)(cosines + t), 0), zero);
        squares += positive * positive;
        highest = larger(highest, positive);
    }
    float length = sqrtf(total(squares)), top = 0;
    for (int i = 0; i < LANES; i++) top = highest[i] > top ? highest[i] : top;
    const float scale = sharpness / (length > EPSILON ? length : EPSILON);
    for (ptrdiff_t t = 0; t < count; t += LANES) {
        Floats positive = larger(load((const char *)(cosines + t), 0), zero);
        Floats values = exponential(scale * (positive - top));
        if (count - t < LANES)
            for (ptrdiff_t i = count - t; i < LANES; i++) values[i] = 0;
        memcpy(weights + t, &values, sizeof values);
        sums += values;
    }
    const float sum = total(sums);
    for (ptrdiff_t t = 0; t < count; t += LANES) {
        Floats values = load((const char *)(weights + t), 0) / sum;
        memcpy(weights + t, &values, sizeof values);
    }
}

/* Adds the squares of `vectors` vectors of the attended frames `sum_t w_t x_t` of `num_nodes` nodes, from `d` on. */
INLINE void attend(const Rows *rows, const char *first, ptrdiff_t count, const float *weights, ptrdiff_t padded,
                   const int num_nodes, const int vectors, ptrdiff_t d, const int half, Floats *squares) {
    Floats sums[4][NODES] = {{{0}}}, values[4];
    const ptrdiff_t size = half ? 2 : 4, left = rows->dim - d;
    for (ptrdiff_t t = 0; t < count; t++) {
        const char *at = first + t * rows->stride + d * size;
        for (int i = 0; i < vectors; i++)
            values[i] = left >= LANES ? load(at + i * LANES * size, half) : load_rest(at, left, half);
        for (int p = 0; p < num_nodes; p++)
            for (int i = 0; i < vectors; i++) sums[i][p] += values[i] * weights[p * padded + t];
    }
    for (int i = 0; i < vectors; i++)
        for (int p = 0; p < num_nodes; p++) squares[p] += sums[i][p] * sums[i][p];
}

/* Lengths of the attended frames of `num_nodes` nodes: a strip of all frames at a time, nothing of them is kept. */
INLINE void attended_length(const Rows *rows, const char *first, ptrdiff_t count, const float *weights,
                            ptrdiff_t padded, const int num_nodes, const int half, float *lengths) {
    Floats squares[NODES] = {{0}};
    const int together = num_nodes == 1 ? 4 : 2;
    ptrdiff_t d = 0;
    for (; d + together * LANES <= rows->dim; d += together * LANES)
        attend(rows, first, count, weights, padded, num_nodes, together, d, half, squares);
    for (; d < rows->dim; d += LANES) attend(rows, first, count, weights, padded, num_nodes, 1, d, half, squares);
    for (int p = 0; p < num_nodes; p++) lengths[p] = sqrtf(total(squares[p]));
}

/* `sum_t w_t s_t` of a node; for the fusion `embed` with the frames' lengths, `sum_t w_t |x_t| s_t`. */
INLINE float fuse(const float *weights, const float *cosines, const float *lengths, ptrdiff_t count) {
    Floats sums = {0};
    for (ptrdiff_t t = 0; t < count; t += LANES) {
        Floats values = load((const char *)(weights + t), 0) * load((const char *)(cosines + t), 0);
        sums += lengths == NULL ? values : values * load((const char *)(lengths + t), 0);
    }
    return total(sums);
}

/* One clip and `num_nodes` nodes, a constant. */
INLINE void clip_block(const Rows *frames, const char *first, ptrdiff_t ahead, ptrdiff_t count, const float *nodes, ptrdiff_t width,
                       const int num_nodes, const Settings *settings, const Scratch *scratch, const int half,
                       float *similarities) {
    const ptrdiff_t padded = scratch->padded;
    float *cosines = scratch->cosines, *weights = scratch->weights, lengths[NODES];
    for (ptrdiff_t t = count; t < (count + LANES - 1) / LANES * LANES; t++) {
        scratch->lengths[t] = 0;
        for (int p = 0; p < num_nodes; p++) cosines[p * padded + t] = 0;
    }
    compare(frames, first, ahead, count, nodes, width, num_nodes, padded, half, cosines, scratch->lengths);
    for (int p = 0; p < num_nodes; p++) align(cosines + p * padded, count, settings->sharpness, weights + p * padded);
    if (!settings->embed) {
        for (int p = 0; p < num_nodes; p++)
            similarities[p] = fuse(weights + p * padded, cosines + p * padded, NULL, count);
        return;
    }
    attended_length(frames, first, count, weights, padded, num_nodes, half, lengths);
    for (int p = 0; p < num_nodes; p++)
        similarities[p] = fuse(weights + p * padded, cosines + p * padded, scratch->lengths, count) /
                          (lengths[p] > EPSILON ? lengths[p] : EPSILON);
}

static TARGET void JOINED(clip, VARIANT)(const Rows *frames, const char *first, ptrdiff_t ahead, ptrdiff_t count,
                                         const Units *nodes,
                                         const Settings *settings, const Scratch *scratch, float *similarities,
                                         float *weights) {
#define BLOCK(num_nodes)                                                                                             \
    (frames->half ? clip_block(frames, first, ahead, count, units, nodes->width, num_nodes, settings, scratch, 1, out)      \
                  : clip_block(frames, first, ahead, count, units, nodes->width, num_nodes, settings, scratch, 0, out))
    for (ptrdiff_t p = 0; p < nodes->count; p += NODES) {
        const float *units = nodes->data + p * nodes->width;
        const ptrdiff_t left = nodes->count - p;
        float *out = similarities + p;
        if (left >= 4)
            BLOCK(4);
        else if (left == 3)
            BLOCK(3);
        else if (left == 2)
            BLOCK(2);
        else
            BLOCK(1);
        for (ptrdiff_t i = 0; weights != NULL && i < NODES && i < left; i++)
            memcpy(weights + (p + i) * count, scratch->weights + i * scratch->padded, (size_t)count * sizeof(float));
    }
#undef BLOCK
}

static TARGET void JOINED(cosines, VARIANT)(const Rows *rows, ptrdiff_t count, const Units *node, float *cosines) {
    float lengths[16];
    for (ptrdiff_t t = 0; t < count; t += 16) {
        const char *first = rows->data + t * rows->stride;
        const ptrdiff_t some = count - t < 16 ? count - t : 16;
        if (rows->half)
            compare(rows, first, AHEAD, some, node->data, node->width, 1, 0, 1, cosines + t, lengths);
        else
            compare(rows, first, AHEAD, some, node->data, node->width, 1, 0, 0, cosines + t, lengths);
    }
}

#undef INLINE
#undef Floats
#undef Bits
#undef Shorts
#undef load
#undef load_rest
#undef total
#undef larger
#undef exponential
#undef dots
#undef compare
#undef align
#undef attend
#undef attended_length
#undef fuse
#undef clip_block
#undef VARIANT
#undef LANES
#undef TARGET
#undef FOLDED
#undef HALF_LOAD
