/// Memory this process holds right now (resident set), where the system tells.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn memory_in_use_counts() {
        let bytes = std::hint::black_box(vec![1_u8; 48 << 20]);
        let resident = super::resident_bytes().unwrap();
        // No process of tests comes near the upper bound.
        assert!((bytes.len() as u64..64 << 30).contains(&resident), "{resident}");
    }
}
