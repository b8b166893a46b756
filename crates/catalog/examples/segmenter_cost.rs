//! What loading Jieba's dictionary costs, and how fast lines are cut: `cargo run --release --example segmenter_cost`.
use std::{fs, time::Instant};

use viewfinder_catalog::text::Segmenter;

#[expect(clippy::print_stdout, reason = "a measurement")]
fn main() {
    let memory = || -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let segmenter = Segmenter::new(None).unwrap();
    let (before, start) = (memory(), Instant::now());
    segmenter.line("增值税电子普通发票");
    println!("loading: {:?}, {} KiB", start.elapsed(), memory() - before);
    let lines =
        ["发动机故障灯亮了需要检修", "Agreement ref. AG-269910 dated 2020-04-15", "订单编号 SN65797543"];
    let start = Instant::now();
    for _ in 0..10_000 {
        for line in lines {
            segmenter.line(line);
        }
    }
    println!("a line: {:?}", start.elapsed() / 30_000);
}
