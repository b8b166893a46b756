//! BENCHMARKS.md: a section for each command that measures.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{process::say, workspace};

/// Writes a section of BENCHMARKS.md in place of the one with the same title, or behind the others.
pub(crate) fn write(title: &str, text: &str) -> Result<()> {
    let path = workspace().join("BENCHMARKS.md");
    let file = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    fs::write(&path, with_section(&file, title, text))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

fn with_section(file: &str, title: &str, text: &str) -> String {
    let (head, sections) = file.split_once("\n## ").unwrap_or((file, ""));
    let section = format!("{title}\n\n{}\n", text.trim());
    let mut found = false;
    let mut sections: Vec<String> = sections
        .split("\n## ")
        .filter(|old| !old.is_empty())
        .map(|old| {
            let same = old.lines().next() == Some(title);
            found |= same;
            if same { section.clone() } else { format!("{}\n", old.trim_end()) }
        })
        .collect();
    if !found {
        sections.push(section);
    }
    let sections: Vec<String> = sections.iter().map(|section| format!("\n## {section}")).collect();
    format!("{}\n{}", head.trim_end(), sections.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_in_its_place_and_a_new_one_comes_last() {
        let first = with_section("# Benchmarks\n", "Text", "a\n");
        assert_eq!(first, "# Benchmarks\n\n## Text\n\na\n");
        let second = with_section(&first, "Nodes", "b\n\nc");
        assert_eq!(second, "# Benchmarks\n\n## Text\n\na\n\n## Nodes\n\nb\n\nc\n");
        let third = with_section(&second, "Text", "d");
        assert_eq!(third, "# Benchmarks\n\n## Text\n\nd\n\n## Nodes\n\nb\n\nc\n");
    }
}
