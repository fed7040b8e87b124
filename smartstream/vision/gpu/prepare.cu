// NV12 pictures of cameras, each of its own size, to one tensor (n, 3, rows, columns) as a model takes it.
//
// The same whole-number arithmetic as ss_vision::picture, so that a GPU prepares the picture that a CPU does, to the
// last bit: a plane that shrinks to half or less is averaged in whole blocks, the rest is bilinear in 256ths, colours
// by BT.601 or BT.709. Levels become samples by a table, (3, 256): scale, mean and deviation are in it, and so is the
// type. Compiled by NVRTC; a C compiler takes it as well, with EMULATED, and that is how it is tested without a GPU.
#ifndef EMULATED
#define KERNEL extern "C" __global__
#define INNER static __device__ __forceinline__
#endif
#ifndef SAMPLE
#define SAMPLE float
#endif

typedef unsigned char Byte;

// One picture of the batch; twin of FRAME in prepare.py.
struct Frame {
    unsigned long long samples;              // luma, then Cb and Cr interleaved, rows of `stride` bytes
    int width, height, stride, chroma_row;   // chroma begins at row `chroma_row`
    int left, top, to_width, to_height;      // where it lies in the model's picture
    int black, gain, red_cr, green_cb, green_cr, blue_cb;
};

// Rows of samples, every `step`-th of a row, after averaging blocks of `block` by `block`.
struct Plane {
    const Byte *samples;
    int width, height, stride, step, block;
};

INNER int level(struct Plane p, int x, int y) {
    const Byte *at = p.samples + (long long)y * p.block * p.stride + x * p.block * p.step;
    if (p.block == 1) return at[0];
    int sum = 0;
    for (int row = 0; row < p.block; row++)
        for (int column = 0; column < p.block; column++) sum += at[(long long)row * p.stride + column * p.step];
    int area = p.block * p.block;
    return (sum + area / 2) / area;
}

// Where the centre of pixel i of `to` lies among `from` samples, in 256ths.
INNER int centre(int i, int from, int to) {
    int at = (int)((((2LL * i + 1) * from) << 8) / (2LL * to)) - 128;
    int last = (from - 1) << 8;
    return at < 0 ? 0 : at > last ? last : at;
}

INNER int resample(struct Plane p, int x, int y, int width, int height) {
    if (p.width == width && p.height == height) return level(p, x, y);
    int smaller = p.width / width < p.height / height ? p.width / width : p.height / height;
    p.block = smaller > 1 ? smaller : 1;
    p.width /= p.block;
    p.height /= p.block;
    int across = centre(x, p.width, width), down = centre(y, p.height, height);
    int x0 = across >> 8, y0 = down >> 8;
    int x1 = x0 + 1 < p.width ? x0 + 1 : p.width - 1, y1 = y0 + 1 < p.height ? y0 + 1 : p.height - 1;
    across &= 255;
    down &= 255;
    int a = level(p, x0, y0), b = level(p, x0, y1);
    int upper = (a << 8) + (across ? (level(p, x1, y0) - a) * across : 0);
    int lower = (b << 8) + (across ? (level(p, x1, y1) - b) * across : 0);
    return ((upper << 8) + (lower - upper) * down + (1 << 15)) >> 16;
}

INNER int clamped(int v) {
    v >>= 8;
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

// `frames`: one for each picture; `table`: (3, 256); `blue_first`: the planes are blue, green, red; `pad`: level of
// the bars; a block of threads covers a part of one picture, `blockIdx.z` says which.
KERNEL void prepare(const struct Frame *frames, const SAMPLE *table, SAMPLE *out, int columns, int rows,
                    int blue_first, int pad) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= columns || y >= rows) return;
    struct Frame f = frames[blockIdx.z];
    int rgb[3] = {pad, pad, pad};
    int u = x - f.left, v = y - f.top;
    if (f.samples && u >= 0 && v >= 0 && u < f.to_width && v < f.to_height) {
        const Byte *luma_at = (const Byte *)f.samples, *chroma_at = luma_at + (long long)f.chroma_row * f.stride;
        struct Plane luma = {luma_at, f.width, f.height, f.stride, 1, 1};
        struct Plane cb_plane = {chroma_at, (f.width + 1) / 2, (f.height + 1) / 2, f.stride, 2, 1};
        struct Plane cr_plane = cb_plane;
        cr_plane.samples++;
        int bright = f.gain * (resample(luma, u, v, f.to_width, f.to_height) - f.black) + 128;
        int cb = resample(cb_plane, u, v, f.to_width, f.to_height) - 128;
        int cr = resample(cr_plane, u, v, f.to_width, f.to_height) - 128;
        rgb[0] = clamped(bright + f.red_cr * cr);
        rgb[1] = clamped(bright - f.green_cb * cb - f.green_cr * cr);
        rgb[2] = clamped(bright + f.blue_cb * cb);
    }
    long long area = (long long)columns * rows;
    SAMPLE *at = out + 3 * area * blockIdx.z + (long long)y * columns + x;
    for (int plane = 0; plane < 3; plane++)
        at[area * plane] = table[256 * plane + rgb[blue_first ? 2 - plane : plane]];
}
