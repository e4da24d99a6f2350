//! Starts that are refused, and a store that fails.

use std::net::TcpListener;
use std::time::Duration;

use crate::common::sender::wait;
use crate::common::service::Home;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_port_in_use_ends_the_start_with_two_and_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("the loopback has free ports");
    let address = taken.local_addr().expect("it is bound");
    let home = Home::new("");
    home.write(&format!("data_dir = \"{}\"\nserver.listen = \"{address}\"\n", home.data().display()));
    let (status, said) = home.refused();
    assert_eq!(status, 2, "{said}");
    assert!(said.contains(&address.to_string()) && said.contains("in use"), "{said}");
}

#[test]
fn a_data_folder_that_cannot_be_made_ends_the_start_with_two_and_names_it() {
    let home = Home::new("");
    // Below a file nothing can be made, not even by root.
    let folder = home.config().join("data");
    home.write(&format!("data_dir = \"{}\"\nserver.listen = \"127.0.0.1:0\"\n", folder.display()));
    let (status, said) = home.refused();
    assert_eq!(status, 2, "{said}");
    assert!(said.contains(&folder.display().to_string()) && said.contains("data_dir"), "{said}");
}

#[test]
fn a_second_service_on_the_same_data_folder_is_refused() {
    let home = Home::new("");
    let mut first = home.start();
    let (status, said) = home.refused();
    assert_eq!(status, 2, "{said}");
    assert!(said.contains(&home.data().display().to_string()), "{said}");
    assert_eq!(first.stop().0, Some(0), "the first goes on");
}

/// A folder on a disk of its own that is soon full; taken away on drop.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &std::path::Path) -> Option<Self> {
        std::fs::create_dir_all(at).ok()?;
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(at)
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is left of a mount is taken away with the machine's next start.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_silences_no_alarm() {
    let defects: Vec<String> = (0..60).map(|at| format!("black@{}+0.5", at + 4)).collect();
    let recipe = format!("synthetic:?size=320x180&fps=25&defects={}&seed=1", defects.join(","));
    let home = Home::new(&format!(
        "[detectors.black]\nseverities = {{ info = \"200ms\" }}\nclear_after = \"200ms\"\n\
         [[streams]]\nname = \"lobby\"\nurl = \"{recipe}\"\n"
    ));
    let Some(_disk) = SmallDisk::mount(&home.data()) else {
        println!("skipped: only root may mount a small disk");
        return;
    };
    let mut service = home.start();
    let filler = home.data().join("filler");
    // Ends with the disk full, which is the point.
    let _ = std::fs::write(&filler, vec![1_u8; 1 << 20]);
    let degraded = service.wait_for_event("@monitor", "store_degraded", "raised", 30 * SECOND);
    assert!(degraded["message"].as_str().expect("has one").contains("not being stored"), "{degraded}");
    service.wait_for_line("an alarm that is marked as not stored", 10 * SECOND, |line| {
        (line["event"]["detector"] == "black" && line["event"]["stored"] == false).then_some(())
    });
    std::fs::remove_file(&filler).expect("it was made");
    service.wait_for_event("@monitor", "store_degraded", "ended", 20 * SECOND);
    assert_eq!(service.stop().0, Some(0));
    let stored = home.stored_changes();
    wait("every change to be stored", SECOND, || {
        let told = service.events();
        told.iter().all(|event| stored.iter().any(|row| row["change_id"] == event["change_id"])).then_some(())
    });
}
