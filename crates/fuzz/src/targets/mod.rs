//! The table of targets; each has a file that says what must hold.
mod archive;
mod checkpoint;
mod dates;
mod entries;
mod ignored;
mod image;
mod multipart;
mod onnx;
mod query;
mod replies;
mod searches;
mod sentence;

use crate::{Memory, Target};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// All targets.
pub const TARGETS: &[Target] = &[
    // Decoders may take what the largest picture allowed takes, and their tables.
    Target {
        name: "image",
        longest: 64 * KIB,
        memory: Memory { base: 96 * MIB, each: 64 },
        fixtures: &["image"],
        run: image::run,
    },
    Target {
        name: "multipart",
        longest: 16 * KIB,
        memory: Memory { base: 64 * KIB, each: 8 },
        fixtures: &[],
        run: multipart::run,
    },
    // What is not known is not kept.
    Target {
        name: "entries",
        longest: 16 * KIB,
        memory: Memory { base: 64 * KIB, each: 3 },
        fixtures: &[],
        run: entries::run,
    },
    // A bare `0,` of JSON becomes a value of 32 bytes, in a list that may just have doubled.
    Target {
        name: "sentence",
        longest: 16 * KIB,
        memory: Memory { base: 64 * KIB, each: 100 },
        fixtures: &[],
        run: sentence::run,
    },
    Target {
        name: "replies",
        longest: 16 * KIB,
        memory: Memory { base: 64 * KIB, each: 100 },
        fixtures: &[],
        run: replies::run,
    },
    Target {
        name: "query",
        longest: 8 * KIB,
        memory: Memory { base: 64 * KIB, each: 100 },
        fixtures: &[],
        run: query::run,
    },
    Target {
        name: "searches",
        longest: 16 * KIB,
        memory: Memory { base: 256 * KIB, each: 400 },
        fixtures: &[],
        run: searches::run,
    },
    // A member may expand a thousandfold, as deflate can, and becomes floats.
    Target {
        name: "checkpoint",
        longest: 64 * KIB,
        memory: Memory { base: 16 * MIB, each: 4500 },
        fixtures: &[],
        run: checkpoint::run,
    },
    Target {
        name: "pickle",
        longest: 32 * KIB,
        memory: Memory { base: 4 * MIB, each: 200 },
        fixtures: &[],
        run: checkpoint::pickle,
    },
    Target {
        name: "safetensors",
        longest: 16 * KIB,
        memory: Memory { base: 4 * MIB, each: 200 },
        fixtures: &[],
        run: checkpoint::safetensors,
    },
    Target {
        name: "onnx",
        longest: 64 * KIB,
        memory: Memory { base: 8 * MIB, each: 200 },
        fixtures: &[],
        run: onnx::run,
    },
    Target {
        name: "archive",
        longest: 32 * KIB,
        memory: Memory { base: 8 * MIB, each: 64 },
        fixtures: &[],
        run: archive::run,
    },
    // Rules become automata.
    Target {
        name: "ignored",
        longest: 4 * KIB,
        memory: Memory { base: 32 * MIB, each: 4 * KIB },
        fixtures: &[],
        run: ignored::run,
    },
    Target {
        name: "dates",
        longest: 16 * KIB,
        memory: Memory { base: MIB, each: 100 },
        fixtures: &["image"],
        run: dates::run,
    },
];
