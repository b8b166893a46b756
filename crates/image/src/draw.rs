//! Simple drawing, for showing people what was found.

use crate::RgbImage;

/// Draws the closed outline through `points` (pixel coordinates), `thickness` pixels wide.
/// Parts outside the picture are left out; so are edges with coordinates that are not finite.
pub fn polygon(image: &mut RgbImage, points: &[[f32; 2]], colour: [u8; 3], thickness: u32) {
    let radius = thickness.max(1) as f32 / 2.0;
    for (index, &from) in points.iter().enumerate() {
        let to = points[(index + 1) % points.len()];
        let Some((from, to)) = clip(image, from, to, radius) else { continue };
        // One stamp per pixel along the longer axis leaves no gap.
        let steps = (to[0] - from[0]).abs().max((to[1] - from[1]).abs()).ceil().max(1.0) as usize;
        for step in 0..=steps {
            let t = step as f32 / steps as f32;
            let at = [from[0] + (to[0] - from[0]) * t, from[1] + (to[1] - from[1]) * t];
            disc(image, at, radius, colour);
        }
    }
}

/// Fills the circle around `centre`; a radius of half a pixel or less sets the nearest pixel.
pub fn disc(image: &mut RgbImage, centre: [f32; 2], radius: f32, colour: [u8; 3]) {
    let [cx, cy] = centre;
    if !(cx.is_finite() && cy.is_finite() && radius.is_finite()) || image.data().is_empty() {
        return;
    }
    let (width, height) = (image.width(), image.height());
    // The nearest pixel is always inside, however small the radius.
    let reach = radius.max(0.708);
    let span = |c: f32, size: usize| {
        let low = (c - reach).ceil().max(0.0);
        let high = (c + reach).floor().min(size as f32 - 1.0);
        (low <= high).then_some((low as usize, high as usize))
    };
    let (Some((left, right)), Some((top, bottom))) = (span(cx, width), span(cy, height)) else { return };
    for y in top..=bottom {
        for x in left..=right {
            let (dx, dy) = (x as f32 - cx, y as f32 - cy);
            let nearest = dx.abs() <= 0.5 && dy.abs() <= 0.5;
            if nearest || dx * dx + dy * dy <= radius * radius {
                let at = (y * width + x) * 3;
                image.data_mut()[at..at + 3].copy_from_slice(&colour);
            }
        }
    }
}

/// The part of a segment that lies in the picture widened by `margin` (Liang and Barsky).
fn clip(image: &RgbImage, from: [f32; 2], to: [f32; 2], margin: f32) -> Option<([f32; 2], [f32; 2])> {
    let size = [image.width() as f64, image.height() as f64];
    let (from, to, margin) = (from.map(f64::from), to.map(f64::from), f64::from(margin));
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for axis in 0..2 {
        let delta = to[axis] - from[axis];
        if !delta.is_finite() {
            return None;
        }
        for (distance, direction) in
            [(from[axis] + margin, -delta), (size[axis] + margin - from[axis], delta)]
        {
            if direction == 0.0 {
                if distance < 0.0 {
                    return None;
                }
            } else if direction < 0.0 {
                enter = enter.max(distance / direction);
            } else {
                leave = leave.min(distance / direction);
            }
        }
    }
    let at = |t: f64| [0, 1].map(|axis| (from[axis] + (to[axis] - from[axis]) * t) as f32);
    (enter <= leave).then(|| (at(enter), at(leave)))
}
