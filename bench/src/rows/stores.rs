//! Copies of the data set for the rows that write, as a server would find them.

use std::{
    fs::{self, File},
    io::{BufReader, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crate::{
    Outcome, seed,
    world::{DATABASE, MASTER_KEY, database},
};

/// What the database reads and writes at once. The system keeps a file in pieces as large as it was
/// read and written in, and looks through all of such a piece whenever a page of it is changed. A copy
/// that was made in large pieces would make each write of a page several times as dear as it is in
/// a file that the database itself has made.
const PAGE: usize = 4096;
/// A store is at hand when no more than this part of it still comes from the disk.
const AT_HAND: f64 = 0.005;
/// After so many times it never will be.
const PASSES: usize = 8;

/// Copies the store of the folder `from` to `to`, and waits until it is on the disk.
pub(crate) fn copy_store(from: &Path, to: &Path) -> Outcome<()> {
    seed::remove(to)?;
    fs::create_dir_all(to)?;
    for name in [DATABASE, MASTER_KEY] {
        let mut source = BufReader::with_capacity(PAGE * 64, File::open(from.join(name))?);
        let mut copy = File::create(to.join(name))?;
        let mut page = Vec::with_capacity(PAGE);
        while source.by_ref().take(PAGE as u64).read_to_end(&mut page)? > 0 {
            copy.write_all(&page)?;
            page.clear();
        }
        copy.sync_all()?;
    }
    Ok(())
}

/// Reads the stores of these folders, page by page, until the system has them all at hand: to copy a large
/// one has driven others out, and a server that waits for its disk says nothing of itself. On a machine
/// without the memory for them it says so, and they are measured as they are.
pub(crate) fn warm(folders: &[PathBuf]) -> Outcome<()> {
    for _ in 0..PASSES {
        let mut at_hand = true;
        for folder in folders {
            at_hand &= part_from_disk(&database(folder))? <= AT_HAND;
        }
        if at_hand {
            return Ok(());
        }
    }
    eprintln!(
        "the system's memory does not hold the stores that are compared: they wait for the disk"
    );
    Ok(())
}

/// Reads a file in an order that is not its own; how much of it came from the disk.
fn part_from_disk(path: &Path) -> Outcome<f64> {
    /// Has no divisor in common with any number of pages that is less.
    const STEP: u64 = 4_294_967_291;
    let file = File::open(path)?;
    let pages = file.metadata()?.len() / PAGE as u64;
    let before = read_from_disk()?;
    let mut page = [0; PAGE];
    for number in 0..pages {
        file.read_exact_at(&mut page, number * (STEP % pages) % pages * PAGE as u64)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a part of a few gigabytes")]
    Ok((read_from_disk()? - before) as f64 / (pages.max(1) * PAGE as u64) as f64)
}

/// Bytes that this process has had read from a disk.
fn read_from_disk() -> Outcome<u64> {
    let counts = fs::read_to_string("/proc/self/io")?;
    let read = counts.lines().find_map(|line| line.strip_prefix("read_bytes: "));
    Ok(read.ok_or("/proc/self/io has no read_bytes")?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_store_is_the_store_and_can_be_read_to_its_end() {
        let folder = std::env::temp_dir().join(format!("claviger-stores-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        fs::create_dir_all(&from).unwrap();
        let store: Vec<u8> = (0..=u8::MAX).cycle().take(PAGE * 5 + 7).collect();
        fs::write(database(&from), &store).unwrap();
        fs::write(from.join(MASTER_KEY), b"key").unwrap();

        copy_store(&from, &to).unwrap();
        assert_eq!(fs::read(database(&to)).unwrap(), store);
        assert_eq!(fs::read(to.join(MASTER_KEY)).unwrap(), b"key");
        warm(&[from, to]).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
