//! Exact assignment on sparse candidate pairs.
//!
//! Maximises the sum of weights over all matchings. In traffic almost every
//! pair is settled by dominance (below) without a matrix; what is left falls
//! into small connected components, each solved by the Hungarian method.

/// A candidate pair; only pairs that pass the gate exist.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Index of the track.
    pub row: u32,
    /// Index of the sighting.
    pub col: u32,
    /// Similarity above the gate, positive.
    pub weight: f32,
}

/// No partner.
pub const NONE: u32 = u32::MAX;
/// Components larger than this are matched greedily: exactness costs cubic
/// time, and hundreds of boxes on one heap hold no identity worth it.
const EXACT_LIMIT: usize = 160;

/// Best and second-best weight at a row or column.
#[derive(Clone, Copy, Debug, Default)]
struct Top {
    best: f32,
    second: f32,
}

impl Top {
    fn add(&mut self, w: f32) {
        self.second = self.second.max(self.best.min(w));
        self.best = self.best.max(w);
    }

    /// The best weight here besides one of weight `w`.
    fn besides(self, w: f32) -> f32 {
        if w == self.best { self.second } else { self.best }
    }
}

/// Solver with its scratch memory: no allocation once it has grown.
#[derive(Debug, Default)]
pub struct Assigner {
    /// Partner of each row, or [`NONE`].
    pub of_row: Vec<u32>,
    /// Partner of each column, or [`NONE`].
    pub of_col: Vec<u32>,
    row_top: Vec<Top>,
    col_top: Vec<Top>,
    open: Vec<Pair>,
    parent: Vec<u32>,
    component: Vec<(u32, Pair)>,
    dense: Dense,
}

impl Assigner {
    /// Match `rows` × `cols` by `pairs`, which are ordered by row, then column.
    ///
    /// Ties go to the lower row, then the lower column.
    pub fn solve(&mut self, rows: usize, cols: usize, pairs: &[Pair]) {
        reset(&mut self.of_row, rows, NONE);
        reset(&mut self.of_col, cols, NONE);
        if pairs.is_empty() {
            return;
        }
        self.open.clear();
        self.open.extend_from_slice(pairs);
        while self.take_dominant() {}
        if !self.open.is_empty() {
            self.solve_components();
        }
    }

    /// Accept every pair that outweighs together the best other pair of its
    /// row and the best other pair of its column: some optimal matching holds
    /// it, for putting it into any other costs at most those two.
    fn take_dominant(&mut self) -> bool {
        reset(&mut self.row_top, self.of_row.len(), Top::default());
        reset(&mut self.col_top, self.of_col.len(), Top::default());
        for p in &self.open {
            self.row_top[p.row as usize].add(p.weight);
            self.col_top[p.col as usize].add(p.weight);
        }
        let before = self.open.len();
        for p in &self.open {
            let (r, c) = (p.row as usize, p.col as usize);
            let rivals = self.row_top[r].besides(p.weight) + self.col_top[c].besides(p.weight);
            if p.weight >= rivals && self.of_row[r] == NONE && self.of_col[c] == NONE {
                self.of_row[r] = p.col;
                self.of_col[c] = p.row;
            }
        }
        let (of_row, of_col) = (&self.of_row, &self.of_col);
        self.open.retain(|p| of_row[p.row as usize] == NONE && of_col[p.col as usize] == NONE);
        !self.open.is_empty() && self.open.len() < before
    }

    /// Solve what dominance left, component by component.
    fn solve_components(&mut self) {
        let rows = self.of_row.len() as u32;
        self.parent.clear();
        self.parent.extend(0..rows + self.of_col.len() as u32);
        for p in &self.open {
            let (a, b) = (find(&mut self.parent, p.row), find(&mut self.parent, rows + p.col));
            self.parent[a.max(b) as usize] = a.min(b);
        }
        self.component.clear();
        for p in &self.open {
            self.component.push((find(&mut self.parent, p.row), *p));
        }
        self.component.sort_unstable_by_key(|(root, p)| (*root, p.row, p.col));
        for pairs in self.component.chunk_by(|a, b| a.0 == b.0) {
            self.dense.solve(pairs, &mut self.of_row, &mut self.of_col);
        }
    }
}

fn reset<T: Copy>(v: &mut Vec<T>, len: usize, value: T) {
    v.clear();
    v.resize(len, value);
}

fn find(parent: &mut [u32], mut x: u32) -> u32 {
    while parent[x as usize] != x {
        parent[x as usize] = parent[parent[x as usize] as usize];
        x = parent[x as usize];
    }
    x
}

/// The Hungarian method with potentials (Kuhn 1955, Munkres 1957) on one component.
#[derive(Debug, Default)]
struct Dense {
    rows: Vec<u32>,
    cols: Vec<u32>,
    cost: Vec<f64>,
    u: Vec<f64>,
    v: Vec<f64>,
    partner: Vec<usize>,
    way: Vec<usize>,
    least: Vec<f64>,
    done: Vec<bool>,
    greedy: Vec<Pair>,
}

impl Dense {
    fn solve(&mut self, pairs: &[(u32, Pair)], of_row: &mut [u32], of_col: &mut [u32]) {
        self.rows.clear();
        self.cols.clear();
        for (_, p) in pairs {
            if self.rows.last() != Some(&p.row) {
                self.rows.push(p.row);
            }
            self.cols.push(p.col);
        }
        self.cols.sort_unstable();
        self.cols.dedup();
        let (n, m) = (self.rows.len(), self.cols.len());
        if n.max(m) > EXACT_LIMIT {
            self.match_greedily(pairs, of_row, of_col);
            return;
        }
        // No more lines than places: a missing pair weighs 0, so "unmatched" is a free place.
        let flip = n > m;
        let (lines, places) = if flip { (m, n) } else { (n, m) };
        reset(&mut self.cost, lines * places, 0.0);
        for (_, p) in pairs {
            let r = self.rows.binary_search(&p.row).unwrap_or_default();
            let c = self.cols.binary_search(&p.col).unwrap_or_default();
            let at = if flip { c * places + r } else { r * places + c };
            self.cost[at] = -f64::from(p.weight);
        }
        self.hungarian(lines, places);
        for place in 1..=places {
            let line = self.partner[place];
            if line == 0 || self.cost[(line - 1) * places + place - 1] == 0.0 {
                continue;
            }
            let (r, c) = if flip { (place - 1, line - 1) } else { (line - 1, place - 1) };
            of_row[self.rows[r] as usize] = self.cols[c];
            of_col[self.cols[c] as usize] = self.rows[r];
        }
    }

    /// Fills `partner[place]` with the line matched to it (both from 1; 0: none).
    fn hungarian(&mut self, lines: usize, places: usize) {
        reset(&mut self.u, lines + 1, 0.0);
        reset(&mut self.v, places + 1, 0.0);
        reset(&mut self.partner, places + 1, 0);
        reset(&mut self.way, places + 1, 0);
        for line in 1..=lines {
            self.partner[0] = line;
            let mut at = 0;
            reset(&mut self.least, places + 1, f64::INFINITY);
            reset(&mut self.done, places + 1, false);
            loop {
                self.done[at] = true;
                let from = self.partner[at];
                let (mut delta, mut next) = (f64::INFINITY, 0);
                for place in 1..=places {
                    if self.done[place] {
                        continue;
                    }
                    let reduced = self.cost[(from - 1) * places + place - 1] - self.u[from] - self.v[place];
                    if reduced < self.least[place] {
                        self.least[place] = reduced;
                        self.way[place] = at;
                    }
                    if self.least[place] < delta {
                        delta = self.least[place];
                        next = place;
                    }
                }
                for place in 0..=places {
                    if self.done[place] {
                        self.u[self.partner[place]] += delta;
                        self.v[place] -= delta;
                    } else {
                        self.least[place] -= delta;
                    }
                }
                at = next;
                if self.partner[at] == 0 {
                    break;
                }
            }
            while at != 0 {
                let before = self.way[at];
                self.partner[at] = self.partner[before];
                at = before;
            }
        }
    }

    fn match_greedily(&mut self, pairs: &[(u32, Pair)], of_row: &mut [u32], of_col: &mut [u32]) {
        self.greedy.clear();
        self.greedy.extend(pairs.iter().map(|(_, p)| *p));
        self.greedy
            .sort_unstable_by(|a, b| b.weight.total_cmp(&a.weight).then((a.row, a.col).cmp(&(b.row, b.col))));
        for p in &self.greedy {
            if of_row[p.row as usize] == NONE && of_col[p.col as usize] == NONE {
                of_row[p.row as usize] = p.col;
                of_col[p.col as usize] = p.row;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn best(rows: usize, pairs: &[Pair], from: usize, used: &mut Vec<bool>) -> f64 {
        if from == rows {
            return 0.0;
        }
        let mut top = best(rows, pairs, from + 1, used);
        for p in pairs.iter().filter(|p| p.row as usize == from) {
            if !used[p.col as usize] {
                used[p.col as usize] = true;
                top = top.max(f64::from(p.weight) + best(rows, pairs, from + 1, used));
                used[p.col as usize] = false;
            }
        }
        top
    }

    fn solved(rows: usize, cols: usize, pairs: &[Pair]) -> f64 {
        let mut a = Assigner::default();
        a.solve(rows, cols, pairs);
        let mut sum = 0.0;
        for (r, &c) in a.of_row.iter().enumerate() {
            if c != NONE {
                assert_eq!(a.of_col[c as usize], r as u32, "both sides agree");
                let p = pairs.iter().find(|p| p.row as usize == r && p.col == c);
                sum += f64::from(p.expect("only candidate pairs are matched").weight);
            }
        }
        sum
    }

    proptest! {
        #[test]
        fn the_sum_is_the_best_of_all_matchings(
            rows in 1usize..6, cols in 1usize..6, cells in proptest::collection::vec(0u8..12, 36),
        ) {
            // Few distinct weights, so that ties are common; about half the pairs missing.
            let mut pairs = Vec::new();
            for r in 0..rows {
                for c in 0..cols {
                    let w = cells[r * 6 + c];
                    if w > 5 {
                        pairs.push(Pair { row: r as u32, col: c as u32, weight: f32::from(w - 5) * 0.125 });
                    }
                }
            }
            let expected = best(rows, &pairs, 0, &mut vec![false; cols]);
            prop_assert!((solved(rows, cols, &pairs) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_heap_beyond_the_limit_is_still_matched() {
        let n = EXACT_LIMIT as u32 + 10;
        let pairs: Vec<Pair> = (0..n)
            .flat_map(|row| {
                (0..n).map(move |col| Pair {
                    row,
                    col,
                    weight: 0.5 + ((row * 7 + col * 3) % 11) as f32 * 0.01,
                })
            })
            .collect();
        let mut a = Assigner::default();
        a.solve(n as usize, n as usize, &pairs);
        assert!(a.of_row.iter().all(|&c| c != NONE));
    }
}
