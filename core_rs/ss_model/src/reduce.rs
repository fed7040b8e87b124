//! Box reduction of a luma plane.
//!
//! Averaging k×k pixels removes most sensor noise and codec ringing, and
//! everything after it costs k² less. It reads every pixel of the decoded
//! picture: best while they are still in the cache, so the decoder does it, too.

/// Reduces pictures of one size by a whole factor.
#[derive(Clone, Copy, Debug)]
pub struct Reducer {
    /// Source pixels per reduced pixel, along x and y.
    pub factor: usize,
    /// Columns of the reduced picture.
    pub width: usize,
    /// Its rows.
    pub height: usize,
    arch: pulp::Arch,
}

/// Largest factor: 64 rows of 255 still fit the 16 bit column sums.
const MAX_FACTOR: usize = 64;
/// Columns summed at a time.
const COLUMNS: usize = 1024;

impl Reducer {
    /// For pictures of `width`×`height`, reduced to at least `target_width`
    /// columns where they have that many.
    pub fn new(width: usize, height: usize, target_width: usize) -> Self {
        let factor = (width / target_width.max(1)).clamp(1, MAX_FACTOR).min(width.min(height).max(1));
        Self { factor, width: width / factor, height: height / factor, arch: pulp::Arch::new() }
    }

    /// Fill the rows of `out` with the means of `factor`×`factor` source pixels, the first of which
    /// lie at the start of `data`, in rows `stride` bytes apart. Rows and columns that do not fill
    /// a whole box are left out.
    ///
    /// # Panics
    /// When `data` has not `factor` rows for each of `out`.
    pub fn rows(&self, data: &[u8], stride: usize, out: &mut [u8]) {
        let (k, width) = (self.factor, self.width);
        if width > 0 {
            self.arch.dispatch(Reduce { data, stride, k, width, out, simd: Simd::new() });
        }
    }
}

/// A call of [`reduce`]. A closure's body may be compiled apart from the
/// dispatched function, without its vector instructions; this one cannot.
struct Reduce<'a> {
    data: &'a [u8],
    stride: usize,
    k: usize,
    width: usize,
    out: &'a mut [u8],
    simd: Simd,
}

impl pulp::NullaryFnOnce for Reduce<'_> {
    type Output = ();

    #[inline(always)]
    #[allow(clippy::inline_always)] // the very point
    fn call(self) {
        reduce(self);
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn reduce(Reduce { data, stride, k, width, out, simd }: Reduce<'_>) {
    for (y, out) in out.chunks_exact_mut(width).enumerate() {
        let row = |i: usize| &data[(y * k + i) * stride..][..width * k];
        match k {
            1 => out.copy_from_slice(row(0)),
            2 => halve(row(0), row(1), out, simd),
            3 => third(row(0), row(1), row(2), out),
            _ => {
                let mut sums = [0; COLUMNS];
                let columns = COLUMNS / k;
                for (n, out) in out.chunks_mut(columns).enumerate() {
                    let sums = &mut sums[..out.len() * k];
                    sums.fill(0);
                    for i in 0..k {
                        for (s, &p) in sums.iter_mut().zip(&row(i)[n * columns * k..]) {
                            *s += u16::from(p);
                        }
                    }
                    average(sums, k, out);
                }
            }
        }
    }
}

/// What the machine has to add neighbours with.
#[derive(Clone, Copy, Debug)]
struct Simd {
    #[cfg(target_arch = "x86_64")]
    v3: Option<pulp::x86::V3>,
}

impl Simd {
    fn new() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            v3: pulp::x86::V3::try_new(),
        }
    }
}

/// Means of two by two pixels of rows `a` and `b`.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn halve(a: &[u8], b: &[u8], out: &mut [u8], simd: Simd) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = simd.v3 {
        let ((a, a_last), (b, b_last)) = (a.as_chunks(), b.as_chunks());
        let (out, out_last) = out.as_chunks_mut();
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = halve_32(simd, *a, *b);
        }
        return halve_plain(a_last, b_last, out_last);
    }
    halve_plain(a, b, out);
}

/// Pairs are added by one instruction.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn halve_32(simd: pulp::x86::V3, a: [u8; 64], b: [u8; 64]) -> [u8; 32] {
    let (avx, avx2) = (simd.avx, simd.avx2);
    let (one, two) = (avx._mm256_set1_epi8(1), avx._mm256_set1_epi16(2));
    let sums = |row: [u8; 32]| avx2._mm256_maddubs_epi16(pulp::cast(row), one);
    let mean = |a: [u8; 32], b: [u8; 32]| {
        let sum = avx2._mm256_add_epi16(sums(a), sums(b));
        avx2._mm256_srli_epi16::<2>(avx2._mm256_add_epi16(sum, two))
    };
    let ([a, c], [b, d]): ([[u8; 32]; 2], [[u8; 32]; 2]) = (pulp::cast(a), pulp::cast(b));
    // Packing leaves each half of a vector by itself.
    let halves = avx2._mm256_packus_epi16(mean(a, b), mean(c, d));
    pulp::cast(avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(halves))
}

/// The same with plain arithmetic.
#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn halve_plain(a: &[u8], b: &[u8], out: &mut [u8]) {
    let (a, b) = (a.as_chunks::<2>().0, b.as_chunks::<2>().0);
    for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
        // Both pixels of a pair in one word: vector code without shuffles.
        let (a, b) = (u16::from_le_bytes(a), u16::from_le_bytes(b));
        *o = (((a & 255) + (a >> 8) + (b & 255) + (b >> 8) + 2) >> 2) as u8;
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn third(a: &[u8], b: &[u8], c: &[u8], out: &mut [u8]) {
    let (a, b, c) = (a.as_chunks::<3>().0, b.as_chunks::<3>().0, c.as_chunks::<3>().0);
    let sum = |p: &[u8; 3]| u16::from(p[0]) + u16::from(p[1]) + u16::from(p[2]);
    for (((o, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
        // 7282 / 65536 = 1/9 to within rounding for sums up to 9·255. Straight from bytes in threes the
        // compiler makes vector code; by way of column sums it does not.
        *o = ((u32::from(sum(a) + sum(b) + sum(c) + 4) * 7282) >> 16) as u8;
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // must become part of the dispatched function
fn average(sums: &[u16], k: usize, out: &mut [u8]) {
    let area = (k * k) as u32;
    for (o, s) in out.iter_mut().zip(sums.chunks_exact(k)) {
        let sum: u32 = s.iter().map(|&v| u32::from(v)).sum();
        *o = ((sum + area / 2) / area) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduced(data: &[u8], stride: usize, width: usize, height: usize, target: usize) -> (Reducer, Vec<u8>) {
        let reducer = Reducer::new(width, height, target);
        let mut out = vec![0; reducer.width * reducer.height];
        reducer.rows(data, stride, &mut out);
        (reducer, out)
    }

    #[test]
    fn every_factor_is_the_rounded_mean() {
        for k in 1..=7 {
            let (w, h, stride) = (5 * k + (k - 1).min(4), 3 * k, 5 * k + 9);
            let data: Vec<u8> = (0..stride * h).map(|i| (i * i * 31 % 256) as u8).collect();
            let (to, out) = reduced(&data, stride, w, h, 5);
            assert_eq!((to.width, to.height), (5, 3), "factor {k}");
            for y in 0..3 {
                for x in 0..5 {
                    let sum: usize =
                        (0..k * k).map(|i| usize::from(data[(y * k + i / k) * stride + x * k + i % k])).sum();
                    assert_eq!(usize::from(out[y * 5 + x]), (sum + k * k / 2) / (k * k), "factor {k}");
                }
            }
        }
    }

    #[test]
    fn halves_are_those_of_plain_arithmetic() {
        for width in [1, 31, 32, 33, 95, 640] {
            let data: Vec<u8> =
                (0..4 * width).map(|i| if i % 7 == 0 { 255 } else { (i * i * 37 % 251) as u8 }).collect();
            let (a, b) = data.split_at(2 * width);
            let (mut fast, mut plain) = (vec![0; width], vec![0; width]);
            halve(a, b, &mut fast, Simd::new());
            halve_plain(a, b, &mut plain);
            assert_eq!(fast, plain);
        }
    }

    #[test]
    fn tiny_pictures_keep_their_size() {
        assert_eq!(reduced(&[7], 1, 1, 1, 640).1, [7]);
        assert_eq!(reduced(&[9; 4000], 2000, 2000, 2, 640).0.height, 1);
    }
}
