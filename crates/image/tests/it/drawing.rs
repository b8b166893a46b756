use viewfinder_image::{RgbImage, crop, draw, pad};

use crate::support::noise;

const RED: [u8; 3] = [255, 0, 0];

fn count(image: &RgbImage) -> usize {
    image.data().chunks_exact(3).filter(|pixel| **pixel == RED).count()
}

#[test]
fn an_outline_has_its_thickness() {
    let corners = [[10.0, 10.0], [40.0, 10.0], [40.0, 30.0], [10.0, 30.0]];
    let mut image = RgbImage::filled(60, 50, [0; 3]);
    draw::polygon(&mut image, &corners, RED, 1);
    assert_eq!(count(&image), 2 * 30 + 2 * 20);
    assert_eq!((image.pixel(10, 10), image.pixel(25, 30), image.pixel(25, 20)), (RED, RED, [0; 3]));
    let mut image = RgbImage::filled(60, 50, [0; 3]);
    draw::polygon(&mut image, &corners, RED, 3);
    assert_eq!((image.pixel(25, 9), image.pixel(25, 11)), (RED, RED));
    assert_eq!((image.pixel(25, 8), image.pixel(25, 12)), ([0; 3], [0; 3]));
}

#[test]
fn drawing_outside_is_harmless() {
    let mut image = RgbImage::filled(20, 10, [0; 3]);
    draw::polygon(&mut image, &[[-1e9, 5.0], [1e9, 5.0]], RED, 1);
    assert_eq!(count(&image), 20);
    let mut image = RgbImage::filled(20, 10, [0; 3]);
    draw::polygon(&mut image, &[[f32::NAN, 5.0], [3.0, f32::INFINITY], [1e38, -1e38]], RED, 5);
    draw::polygon(&mut image, &[], RED, 5);
    draw::polygon(&mut image, &[[100.0, 100.0], [200.0, 100.0]], RED, 5);
    draw::disc(&mut image, [-50.0, 3.0], 4.0, RED);
    draw::disc(&mut image, [f32::NAN, 3.0], 4.0, RED);
    assert_eq!(count(&image), 0);
    draw::disc(&mut image, [4.0, 4.0], 2.0, RED);
    assert_eq!(count(&image), 13);
    draw::disc(&mut RgbImage::filled(0, 0, RED), [0.0, 0.0], 2.0, RED);
}

#[test]
fn crops_and_borders_copy_pixels() {
    let image = noise(12, 9, 2);
    let part = crop(&image, 3, 2, 5, 4);
    assert_eq!(
        (part.width(), part.height(), part.pixel(0, 0), part.pixel(4, 3)),
        (5, 4, image.pixel(3, 2), image.pixel(7, 5))
    );
    let padded = pad::vertical(&image, 2, 3);
    assert_eq!((padded.width(), padded.height()), (12, 14));
    assert_eq!((padded.row(1), padded.row(2), padded.row(13)), (&[0; 36][..], image.row(0), &[0; 36][..]));
}
