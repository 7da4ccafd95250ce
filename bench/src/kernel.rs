//! What the kernel holds for a connection, read from its own books.

use std::fs;

/// Kinds of objects that a connected socket in an event queue is made of.
const KINDS: [&str; 5] = ["TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi"];

/// How many objects of each kind there are, and how large one is (`/proc/slabinfo`, slabinfo(5)).
#[derive(Debug, Clone, Copy, Default)]
pub struct SlabTable([SlabUsage; KINDS.len()]);

#[derive(Debug, Clone, Copy, Default)]
struct SlabUsage {
    objects: u64,
    size: u64,
}

impl SlabTable {
    /// Reads them. `None` where we may not: only root may.
    pub fn read() -> Option<Self> {
        let table = fs::read_to_string("/proc/slabinfo").ok()?;
        Some(Self(KINDS.map(|kind| slab(&table, kind).unwrap_or_default())))
    }

    /// Bytes for each of so many sockets that were opened since `before`.
    ///
    /// Other programs open files meanwhile, so what every socket has exactly one of (inode, file,
    /// name) counts at most once for each socket, however many more there are now.
    pub fn each_since(&self, before: &Self, sockets: usize) -> f64 {
        let sockets = sockets.max(1) as f64;
        let pairs = self.0.iter().zip(&before.0);
        pairs
            .map(|(now, then)| {
                let more = now.objects.saturating_sub(then.objects) as f64;
                (more / sockets).min(1.0) * now.size as f64
            })
            .sum()
    }
}

/// `name active_objects objects size …`
fn slab(table: &str, kind: &str) -> Option<SlabUsage> {
    let mut columns = table
        .lines()
        .map(str::split_whitespace)
        .find_map(|mut columns| (columns.next() == Some(kind)).then_some(columns))?;
    let objects = columns.next()?.parse().ok()?;
    Some(SlabUsage { objects, size: columns.nth(1)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::{SlabTable, SlabUsage, slab};

    #[test]
    fn a_slab_is_read_by_its_whole_name() {
        let table = "slabinfo - version: 2.1\nTCPv6 26 26 2496 13 8\nTCP  53 104 2368 13 8 : x\n";
        let read = slab(table, "TCP").map(|slab| (slab.objects, slab.size));
        assert_eq!(read, Some((53, 2368)));
        assert!(slab(table, "filp").is_none());
    }

    #[test]
    fn what_others_opened_meanwhile_is_not_counted() {
        let of = |objects| SlabUsage { objects, size: 100 };
        let (before, after) =
            (SlabTable([of(10); 5]), SlabTable([of(60), of(35), of(10), of(10), of(10)]));
        assert_eq!(after.each_since(&before, 50).round(), 150.0);
        assert_eq!(after.each_since(&before, 25).round(), 200.0);
    }
}
