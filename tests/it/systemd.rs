//! `systemd/`, as shipped, under systemd's own checks.

use crate::support::{Folder, find, folder};
use std::{
    fs::{read_dir, read_to_string, write},
    path::Path,
    process::{Command, Output},
};

/// Where the units expect the binary.
const INSTALLED: &str = "/usr/local/bin/notify_push";

/// Tenths of systemd's exposure level, 0 to 100. What remains of the daemon's is that it talks to the
/// network and over unix sockets from the host's root directory, and reads a Nextcloud below /home; of the restarter's that it is root.
const EXPOSURE: [(&str, &str); 2] =
    [("notify_push.service", "12"), ("notify_push-watch.service", "7")];

/// The shipped units in a folder, with the binary under test in the installed one's place.
fn units() -> Folder {
    let units = folder("systemd");
    for unit in read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")).unwrap() {
        let unit = unit.unwrap();
        let text = read_to_string(unit.path()).unwrap();
        let text = text.replace(INSTALLED, env!("CARGO_BIN_EXE_notify_push"));
        write(units.path().join(unit.file_name()), text).unwrap();
    }
    units
}

fn analyze(units: &Folder, arguments: &[&str], files: &[&str]) -> Output {
    Command::new(find("systemd-analyze"))
        .args(arguments)
        .args(files)
        .current_dir(units.path())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    let units = units();
    let files = [
        "./notify_push.service",
        "./notify_push.socket",
        "./notify_push-watch.path",
        "./notify_push-watch.service",
    ];
    assert_eq!(read_dir(units.path()).unwrap().count(), files.len());
    let verified = analyze(&units, &["verify", "--man=no"], &files);
    assert_eq!((verified.status.code(), said(&verified).as_str()), (Some(0), ""));
}

#[test]
fn a_unit_with_a_misspelt_line_would_be_noticed() {
    let units = units();
    let file = units.path().join("notify_push.service");
    let text = read_to_string(&file).unwrap().replace("NoNewPrivileges=", "NoNewPrivilege=");
    write(&file, text).unwrap();
    let verified = analyze(&units, &["verify", "--man=no"], &["./notify_push.service"]);
    assert!(said(&verified).contains("NoNewPrivilege"), "{verified:?}");
}

#[test]
fn the_units_are_exposed_as_little_as_they_can_be() {
    let units = units();
    for (unit, exposure) in EXPOSURE {
        let threshold = format!("--threshold={exposure}");
        let file = format!("./{unit}");
        let security = ["security", "--offline=true", "--no-pager", &threshold];
        let checked = analyze(&units, &security, &[&file]);
        assert!(checked.status.success(), "{}", said(&checked));
    }
}
