//! A small file takes little memory, whatever it says.

use std::io::Write as _;

use flate2::{Compression, Crc, write::ZlibEncoder};
use viewfinder_core::Alpha;
use viewfinder_image::{Limits, decode, header};
use viewfinder_test_support::{Watched, largest_allocation};

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// So many zeros, packed a thousandfold.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let piece = vec![0; 1 << 20];
    for _ in 0..bytes >> 20 {
        encoder.write_all(&piece).unwrap();
    }
    encoder.finish().unwrap()
}

fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let content = [&kind, data].concat();
    let mut crc = Crc::new();
    crc.update(&content);
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length, &content[..], &crc.sum().to_be_bytes()].concat()
}

/// A picture of 1 x 1 pixels, orange, with another chunk in front of the pixel.
fn png(extra: &[u8]) -> Vec<u8> {
    let mut row = ZlibEncoder::new(Vec::new(), Compression::fast());
    row.write_all(&[0, 255, 128, 0]).unwrap();
    [
        b"\x89PNG\r\n\x1A\n",
        &chunk(*b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0])[..],
        extra,
        &chunk(*b"IDAT", &row.finish().unwrap()),
        &chunk(*b"IEND", b""),
    ]
    .concat()
}

// One test alone: the allocator is everybody's.
#[test]
fn what_a_small_picture_says_besides_is_not_unpacked() {
    let packed = bomb(600 << 20);
    let extras = [
        chunk(*b"iCCP", &[b"profile\0\0", &packed[..]].concat()),
        chunk(*b"zTXt", &[b"comment\0\0", &packed[..]].concat()),
        chunk(*b"iTXt", &[b"comment\0\x01\0\0\0", &packed[..]].concat()),
        chunk(*b"eXIf", &packed),
    ];
    for extra in extras {
        let file = png(&extra);
        assert_eq!(header(&file).unwrap().size(false), [1, 1]);
        let picture = decode(&file, &Limits::default()).unwrap().into_rgb(true, Alpha::Drop);
        assert_eq!(picture.data(), [255, 128, 0]);
        let largest = largest_allocation();
        assert!(largest < 4 << 20, "{}: {largest}", String::from_utf8_lossy(&extra[4..8]));
    }
}
