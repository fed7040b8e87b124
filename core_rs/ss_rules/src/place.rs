//! Where things are: the picture, the ground, and what lies on it.

use serde::{Deserialize, Serialize};
use ss_model::{BoxF, Error, Homography, Point, Polygon, Result, VehicleClass};

use crate::config::{CameraConfig, LaneConfig, LineConfig, LineKind, Movement, not_negative};
use crate::crossing::{Crossing, Line};

/// Without calibration the height of a vehicle's box stands for this many
/// metres: a motorcycle with its rider, a car. Movement away from the camera
/// then measures short, never long.
const BOX_HEIGHT_M: f64 = 1.5;
/// A foot point this close to a lane may belong to it.
pub const ASTRIDE_M: f64 = 0.4;
/// The bottom of a detected box wanders by this share of its height.
const TREMBLE: f64 = 0.1;
/// A box that comes this close to the lower edge of the picture may go on beyond it.
const EDGE: f64 = 0.002;
/// Near the horizon that is any number of metres; more than this is not put down to it.
pub const MOST_TREMBLE_M: f64 = 2.0;
/// Ways that differ by more than this from what an exit line says are another approach's: lines lie askew, and a turn
/// may not be over yet.
const OTHER_WAY_DEG: f64 = 80.0;
/// Half of the way from one movement to the next.
const SAME_WAY_DEG: f64 = 45.0;
/// As many zones as a camera can have: one bit each.
const MAX_ZONES: usize = 32;
/// Positions further off than this are projections from near the horizon.
const HORIZON_M: f64 = 2_000.0;

/// The reference point of a vehicle in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Bottom centre of the box, normalised picture coordinates.
    pub foot: Point,
    /// The same on the ground in metres; without calibration in the picture,
    /// in units of its height.
    pub pos: Point,
    /// Metres per unit of `pos`.
    pub unit_m: f64,
    /// Width of the box, normalised picture coordinates.
    pub width: f64,
    /// Its height, the same.
    pub height: f64,
    /// How far `pos` wanders, in metres, while the bottom of the box trembles: near the camera by little, and
    /// further off by the more ground there is under each line of the picture.
    pub tremble_m: f64,
}

impl Place {
    /// Whether the lower edge of the picture cuts the box: what touches the ground is not seen, and the box is as wide
    /// as the vehicle is further up.
    pub fn is_cut(&self) -> bool {
        self.foot.y > 1.0 - EDGE
    }

    /// Whether the boxes of the two meet, or pass with less between them than a quarter of the narrower.
    pub fn touches(&self, other: &Self) -> bool {
        let margin = self.width.min(other.width) / 4.0;
        let aside = (self.foot.x - other.foot.x).abs();
        let (top, foot) = (self.foot.y - self.height, self.foot.y);
        let (other_top, other_foot) = (other.foot.y - other.height, other.foot.y);
        aside <= f64::midpoint(self.width, other.width) + margin && top <= other_foot && other_top <= foot
    }
}

/// How a camera sees the ground.
#[derive(Clone, Debug)]
pub struct View {
    aspect: f64,
    ground_from_image: Option<Homography>,
    /// Sign of the projective weight on this side of the horizon.
    near_side: f64,
}

impl View {
    fn new(config: &CameraConfig) -> Result<Self> {
        let aspect = crate::config::above("aspect", config.aspect, 0.0)?;
        let Some(points) = &config.calibration else {
            return Ok(Self { aspect, ground_from_image: None, near_side: 1.0 });
        };
        let map = Homography::fit(&points.image, &points.world_m)?;
        let sides: Vec<f64> = points.image.iter().map(|&p| weight(&map, p).signum()).collect();
        if sides.windows(2).any(|w| w[0] != w[1]) {
            return Err(Error::invalid("calibration: the points lie on both sides of the horizon"));
        }
        Ok(Self { aspect, near_side: sides[0], ground_from_image: Some(map) })
    }

    /// Whether positions are metres on the ground.
    pub fn is_metric(&self) -> bool {
        self.ground_from_image.is_some()
    }

    /// A point of the picture in the space of positions; `None` at or beyond
    /// the horizon.
    pub fn position(&self, image: Point) -> Option<Point> {
        let Some(map) = &self.ground_from_image else {
            return Some(Point { x: image.x * self.aspect, y: image.y });
        };
        if weight(map, image) * self.near_side <= 0.0 {
            return None;
        }
        let pos = map.apply(image);
        (pos.x.abs() < HORIZON_M && pos.y.abs() < HORIZON_M).then_some(pos)
    }

    /// 1 where positions turn as the picture does, -1 where they are mirrored.
    fn handedness(&self, image: Point) -> f64 {
        let step = 1e-4;
        let at = |dx: f64, dy: f64| self.position(Point { x: image.x + dx, y: image.y + dy });
        let ends = at(0.0, 0.0).zip(at(step, 0.0)).zip(at(0.0, step));
        ends.map_or(1.0, |((p, a), b)| (a - p).cross(b - p).signum())
    }

    /// How tall an upright thing is that stands at `place` and fills its box, metres; `None` without
    /// calibration. What is long along the road looks taller by that.
    pub fn height_m(&self, place: &Place) -> Option<f64> {
        let step = 1e-4;
        let aside = self.position(Point { x: place.foot.x + step, y: place.foot.y })? - place.pos;
        self.is_metric().then(|| aside.length() / step * place.height / self.aspect)
    }

    /// From where something stands to where it seems to, when its lowest visible part is `up_m` above the ground,
    /// metres; `None` without calibration.
    pub fn lifted_by(&self, place: &Place, up_m: f64) -> Option<Point> {
        let y = place.foot.y + up_m / self.height_m(place)? * place.height;
        Some(place.pos - self.position(Point { x: place.foot.x, y })?)
    }

    /// Where the street is that its upper edge hides, in units of `Place::pos`; `None` at or beyond the horizon.
    pub fn behind_head(&self, place: &Place) -> Option<Point> {
        self.position(Point { x: place.foot.x, y: place.foot.y - place.height })
    }

    /// Where a box touches the ground; `None` at or beyond the horizon.
    pub fn place(&self, bbox: &BoxF) -> Option<Place> {
        let foot = Point { x: f64::midpoint(f64::from(bbox.x1), f64::from(bbox.x2)), y: f64::from(bbox.y2) };
        let pos = self.position(foot)?;
        let unit_m = if self.is_metric() { 1.0 } else { BOX_HEIGHT_M / f64::from(bbox.height()) };
        let (width, height) = (f64::from(bbox.width()), f64::from(bbox.height()));
        let above = self.position(Point { x: foot.x, y: foot.y - TREMBLE * height });
        let tremble_m = above.map_or(MOST_TREMBLE_M, |p| (p - pos).length() * unit_m).min(MOST_TREMBLE_M);
        Some(Place { foot, pos, unit_m, width, height, tremble_m })
    }
}

fn weight(map: &Homography, p: Point) -> f64 {
    map.0[6] * p.x + map.0[7] * p.y + map.0[8]
}

/// A polygon with its bounding box, for a quick no.
#[derive(Clone, Debug)]
pub struct Area {
    min: Point,
    max: Point,
    outline: Polygon,
}

impl Area {
    fn new(name: &str, outline: &Polygon) -> Result<Self> {
        let points = &outline.0;
        if points.len() < 3 || points.iter().any(|p| !(p.x.is_finite() && p.y.is_finite())) {
            return Err(Error::invalid(format!("{name}: expected at least 3 finite points in its polygon")));
        }
        let fold = |f: fn(f64, f64) -> f64| Point {
            x: points.iter().map(|p| p.x).reduce(f).unwrap_or(0.0),
            y: points.iter().map(|p| p.y).reduce(f).unwrap_or(0.0),
        };
        Ok(Self { min: fold(f64::min), max: fold(f64::max), outline: outline.clone() })
    }

    /// Whether `foot` lies in it.
    pub fn contains(&self, foot: Point) -> bool {
        foot.x >= self.min.x
            && foot.x <= self.max.x
            && foot.y >= self.min.y
            && foot.y <= self.max.y
            && self.outline.contains(foot)
    }

    fn centre(&self) -> Point {
        let n = self.outline.0.len() as f64;
        let sum = self.outline.0.iter().fold(Point::default(), |a, &b| a + b);
        sum.scale(1.0 / n)
    }
}

/// A lane.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Name.
    pub id: String,
    /// Its outline in the picture.
    pub area: Area,
    /// Unit vector of lawful travel in the space of positions.
    pub direction: Option<Point>,
    /// Index of its signal group.
    pub group: Option<u16>,
    /// Movements with a group of their own.
    pub arrows: Vec<(Movement, u16)>,
    /// Classes that may use it; empty: every class.
    pub allowed: Vec<VehicleClass>,
    /// Movements that may be made from it; empty: every one.
    pub movements: Vec<Movement>,
    /// Speed limit.
    pub speed_limit_kmh: Option<f64>,
    /// From end to end, when the camera is calibrated.
    pub length_m: Option<f64>,
}

impl Lane {
    /// The group that a movement from it obeys; `None` as movement: any that has no arrow of its own.
    pub fn group_for(&self, movement: Option<Movement>) -> Option<u16> {
        movement.and_then(|m| self.arrow(m)).or(self.group)
    }

    /// The group of a movement that has an arrow of its own.
    pub fn arrow(&self, movement: Movement) -> Option<u16> {
        self.arrows.iter().find(|(m, _)| *m == movement).map(|(_, group)| *group)
    }
}

/// The stretch of a line that one lane leads over, in units of position from
/// the line's first point.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Index of the lane.
    pub lane: u16,
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
}

impl Stretch {
    /// Whether `at` lies in it, or outside by no more than `margin`.
    pub fn reaches(&self, at: f64, margin: f64) -> bool {
        self.from - margin <= at && at <= self.to + margin
    }
}

/// A line with the lanes that lead over it.
#[derive(Clone, Debug)]
pub struct RoadLine {
    /// Name.
    pub id: String,
    /// What it means.
    pub kind: LineKind,
    /// Of an exit line: what crossing it means.
    pub movement: Option<Movement>,
    /// In the space of positions.
    pub line: Line,
    /// The lanes that lead over it.
    pub lanes: Vec<Stretch>,
    /// Whether lawful travel crosses it rightward; `None` where its lanes
    /// disagree or it has none.
    pub lawful_rightward: Option<bool>,
}

/// A zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Name.
    pub id: String,
    /// Its outline in the picture.
    pub area: Area,
}

/// Everything a camera's rules refer to.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How the camera sees the ground.
    pub view: View,
    /// Lanes.
    pub lanes: Vec<Lane>,
    /// Lines.
    pub lines: Vec<RoadLine>,
    /// Zones.
    pub zones: Vec<Zone>,
    /// How far the camera's clock may be off.
    pub clock_s: f64,
}

impl Layout {
    /// Check and compile the geometry of a camera.
    ///
    /// # Errors
    /// `InvalidInput` naming the lane, line or zone that cannot be used.
    pub fn new(config: &CameraConfig, groups: &[String]) -> Result<Self> {
        if config.zones.len() > MAX_ZONES {
            let found = config.zones.len();
            return Err(Error::invalid(format!("expected at most {MAX_ZONES} zones, found {found}")));
        }
        let view = View::new(config)?;
        let clock_s = not_negative("clock_uncertainty_s", config.clock_uncertainty_s)?;
        let lanes = config.lanes.iter().map(|l| lane(l, &view, groups)).collect::<Result<Vec<_>>>()?;
        let lines = config.lines.iter().map(|l| road_line(l, &view, &lanes)).collect::<Result<Vec<_>>>()?;
        let zones = config
            .zones
            .iter()
            .map(|z| Ok(Zone { id: z.id.clone(), area: Area::new(&format!("zone {}", z.id), &z.polygon)? }))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { view, lanes, lines, zones, clock_s })
    }

    /// The lane under `foot`; the one it was in before is asked first.
    pub fn lane_at(&self, foot: Point, before: Option<u16>) -> Option<u16> {
        if before.is_some_and(|lane| self.lanes[usize::from(lane)].area.contains(foot)) {
            return before;
        }
        self.lanes.iter().position(|l| l.area.contains(foot)).map(|i| i as u16)
    }

    /// Whether `foot`, in `lane`, lies in one of the opposite direction, too.
    pub fn is_shared_with_opposite(&self, lane: u16, foot: Point) -> bool {
        let own = self.lanes[usize::from(lane)].direction;
        let opposite = |l: &Lane| own.zip(l.direction).is_some_and(|(a, b)| a.dot(b) < 0.0);
        self.lanes.iter().any(|l| opposite(l) && l.area.contains(foot))
    }

    /// Whether an exit line shows to who comes along `way_in` and leaves along `way_out` (unit vectors) what it says: its
    /// movement is that of one approach, and a camera may see several. `at` is where it leaves, in the picture.
    pub fn shows(&self, movement: Movement, ways: (Point, Point), at: Point) -> bool {
        self.off_deg(movement, ways, at) <= OTHER_WAY_DEG
    }

    /// Whether the way out is a turn, and the one that the movement is.
    pub fn has_turned(&self, movement: Movement, ways: (Point, Point), at: Point) -> bool {
        movement != Movement::Through && self.off_deg(movement, ways, at) <= SAME_WAY_DEG
    }

    /// By how much the way out differs from what a movement says.
    fn off_deg(&self, movement: Movement, (way_in, way_out): (Point, Point), at: Point) -> f64 {
        let clockwise = way_in.cross(way_out) * self.view.handedness(at);
        let turned_deg = clockwise.atan2(way_in.dot(way_out)).to_degrees();
        let says_deg = match movement {
            Movement::Left => -90.0,
            Movement::Through => 0.0,
            Movement::Right => 90.0,
            Movement::UTurn => 180.0,
        };
        ((turned_deg - says_deg + 540.0).rem_euclid(360.0) - 180.0).abs()
    }

    /// Whether a vehicle leaves over an exit line although its foot point
    /// passes beside the end: a turning vehicle is seen from the side, and
    /// half of it lies before the middle of its box.
    pub fn passes_exit(&self, road: &RoadLine, crossing: &Crossing, place: &Place) -> bool {
        let side = Point { x: place.foot.x + place.width / 2.0, y: place.foot.y };
        let half = self.view.position(side).map_or(0.0, |p| (p - place.pos).length());
        road.kind == LineKind::Exit && crossing.beyond <= half
    }

    /// The zones around `foot`, one bit each.
    pub fn zones_at(&self, foot: Point) -> u32 {
        let bit = |(i, zone): (usize, &Zone)| u32::from(zone.area.contains(foot)) << i;
        self.zones.iter().enumerate().map(bit).sum()
    }

    /// Lanes by which a crossing may be judged: the one by the foot point
    /// first, then those so close beside that they are possible. `before` is the lane it came in.
    pub fn lanes_of_crossing(&self, line: u16, crossing: &Crossing, before: Option<u16>) -> Vec<u16> {
        let road = &self.lines[usize::from(line)];
        let margin = ASTRIDE_M / crossing.unit_m;
        let own = road.lane_at(crossing.station, margin, before);
        let beside = road.lanes.iter().filter(|s| own.is_some() && s.reaches(crossing.station, margin));
        own.into_iter().chain(beside.map(|s| s.lane).filter(|l| Some(*l) != own)).collect()
    }

    /// Index of the zone called `id`.
    pub fn zone_index(&self, id: &str) -> Result<u16> {
        let found = self.zones.iter().position(|z| z.id == id);
        found.map(|i| i as u16).ok_or_else(|| Error::invalid(format!("no zone is called {id:?}")))
    }

    /// Index of the line called `id`.
    pub fn line_index(&self, id: &str) -> Result<u16> {
        let found = self.lines.iter().position(|l| l.id == id);
        found.map(|i| i as u16).ok_or_else(|| Error::invalid(format!("no line is called {id:?}")))
    }

    /// Index of the lane called `id`.
    pub fn lane_index(&self, id: &str) -> Result<u16> {
        let found = self.lanes.iter().position(|l| l.id == id);
        found.map(|i| i as u16).ok_or_else(|| Error::invalid(format!("no lane is called {id:?}")))
    }
}

fn lane(config: &LaneConfig, view: &View, groups: &[String]) -> Result<Lane> {
    let name = format!("lane {}", config.id);
    let area = Area::new(&name, &config.polygon)?;
    let direction = config
        .direction
        .map(|d| {
            // The way the picture points at the middle of the lane, on the ground.
            let (a, step) = (area.centre(), d.scale(1e-4 / d.length()));
            let ends = view.position(a).zip(view.position(a + step));
            let way = ends.map(|(p, q)| (q - p).scale(1.0 / (q - p).length()));
            way.filter(|w| w.x.is_finite() && w.y.is_finite()).ok_or_else(|| {
                Error::invalid(format!("{name}: its direction cannot be placed on the ground"))
            })
        })
        .transpose()?;
    let group_of = |s: &String| {
        let found = groups.iter().position(|g| g == s).map(|i| i as u16);
        found.ok_or_else(|| Error::invalid(format!("{name}: no signal group is called {s:?}")))
    };
    let group = config.signal.as_ref().map(group_of).transpose()?;
    let arrows = config.movement_signal.iter().map(|(&m, s)| Ok((m, group_of(s)?))).collect::<Result<_>>()?;
    let length_m = direction.filter(|_| view.is_metric()).and_then(|way| {
        let along = config.polygon.0.iter().filter_map(|&p| Some(view.position(p)?.dot(way)));
        let (first, last) = along.fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(x), b.max(x)));
        (last > first).then_some(last - first)
    });
    Ok(Lane {
        id: config.id.clone(),
        area,
        length_m,
        direction,
        group,
        arrows,
        allowed: config.allowed.clone().unwrap_or_default(),
        movements: config.movements.clone().unwrap_or_default(),
        speed_limit_kmh: config.speed_limit_kmh,
    })
}

/// Lanes often end a little before the line that belongs to them.
const REACH: f64 = 0.02;
/// Places along a line at which lanes are looked for.
const PROBES: u32 = 400;

fn road_line(config: &LineConfig, view: &View, lanes: &[Lane]) -> Result<RoadLine> {
    let [a, b] = config.points;
    let along = b - a;
    let right = Point { x: -along.y, y: along.x }.scale(REACH / along.length());
    let placed = || {
        let (pa, pb, pr) = (view.position(a)?, view.position(b)?, view.position(a + right)?);
        Line::new(pa, pb, pr)
    };
    let line = placed().ok_or_else(|| {
        Error::invalid(format!("line {}: its points are the same or beyond the horizon", config.id))
    })?;
    let mut stretches: Vec<Stretch> = Vec::new();
    for i in 0..PROBES {
        let probe = a + along.scale((f64::from(i) + 0.5) / f64::from(PROBES));
        let Some(at) = view.position(probe).map(|pos| line.station(pos)) else { continue };
        for (index, lane) in lanes.iter().enumerate() {
            if [probe, probe - right, probe + right].iter().any(|&p| lane.area.contains(p)) {
                let lane = index as u16;
                match stretches.iter_mut().find(|s| s.lane == lane) {
                    Some(s) => (s.from, s.to) = (s.from.min(at), s.to.max(at)),
                    None => stretches.push(Stretch { lane, from: at, to: at }),
                }
            }
        }
    }
    let mut ways = stretches
        .iter()
        .filter_map(|s| lanes[usize::from(s.lane)].direction)
        .map(|d| d.dot(line.right()) > 0.0);
    let first = ways.next();
    let lawful_rightward = first.filter(|&way| ways.all(|w| w == way));
    Ok(RoadLine {
        id: config.id.clone(),
        kind: config.kind,
        movement: config.movement,
        line,
        lanes: stretches,
        lawful_rightward,
    })
}

impl RoadLine {
    /// The lane by which a crossing at `station` is judged: the remembered
    /// one while it reaches there, else the one that leads over that place.
    pub fn lane_at(&self, station: f64, margin: f64, remembered: Option<u16>) -> Option<u16> {
        let by_memory = self.lanes.iter().find(|s| Some(s.lane) == remembered && s.reaches(station, margin));
        by_memory.or_else(|| self.lanes.iter().find(|s| s.reaches(station, 0.0))).map(|s| s.lane)
    }

    /// Unit vector straight over it.
    pub fn way_over(&self, rightward: bool) -> Point {
        self.line.right().scale(if rightward { 1.0 } else { -1.0 })
    }

    /// Whether `crossing` goes the lawful way of `lane`, else of the line,
    /// else from the left to the right of its points.
    pub fn is_forward(&self, rightward: bool, lane: Option<&Lane>) -> bool {
        let by_lane = lane.and_then(|l| l.direction).map(|d| d.dot(self.line.right()) > 0.0);
        rightward == by_lane.or(self.lawful_rightward).unwrap_or(true)
    }
}
