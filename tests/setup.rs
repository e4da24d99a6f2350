//! Proves what `scripts/setup` installs, on a machine made of stand-ins: nothing here is installed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of stand-ins that is the whole PATH of the script.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// A machine where `missing` packages are not installed and cargo has that version, if any.
    fn new(missing: &[&str], cargo: Option<&str>) -> Self {
        let machine = Self { folder: tempfile::tempdir().expect("a folder") };
        for tool in ["bash", "sort", "sed", "head", "env", "grep", "cat", "cmp", "cp", "mkdir", "dirname"] {
            let real = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
            let real = real.iter().find(|path| path.exists()).expect("every Debian has it");
            symlink(real, machine.path(tool)).expect("links");
        }
        for tool in ["cc", "clang", "ffmpeg", "ffprobe", "git", "rustc", "pkg-config"] {
            machine.tool(tool, "exit 0");
        }
        machine.tool("id", "echo 0");
        fs::write(machine.path("missing"), missing.join("\n") + "\n").expect("writes");
        let here = machine.folder.path().display();
        // The last argument of dpkg-query is the package asked for.
        machine.tool("dpkg-query", &format!("grep -qx -- \"${{@: -1}}\" {here}/missing && exit 1; echo -n installed"));
        let installs_rust = format!(
            "echo \"$*\" >> {here}/log\n[[ \"$*\" == *cargo-web* ]] || exit 0\n\
             printf '#!/usr/bin/env bash\\necho cargo 1.96.0\\n' > {here}/cargo.new\n\
             cat {here}/cargo.new > {here}/cargo"
        );
        machine.tool("apt-get", &installs_rust);
        match cargo {
            Some(version) => machine.tool("cargo", &format!("echo 'cargo {version} (0f2d3ce0b 2026-03-21)'")),
            None => machine.tool("cargo", "exit 1"),
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tool(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!{}\n{script}\n", self.path("bash").display())).expect("writes");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("is ours");
    }

    fn setup(&self) -> Output {
        self.bash(&[concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/setup")])
    }

    /// Sets up what the tests of the dashboard need, in a target folder of this machine's own.
    fn setup_dashboard(&self) -> Output {
        self.bash(&["-c", concat!(". ", env!("CARGO_MANIFEST_DIR"), "/scripts/setup; setup_dashboard")])
    }

    /// Sets up what notifications are tested against.
    fn setup_receivers(&self) -> Output {
        self.bash(&["-c", concat!(". ", env!("CARGO_MANIFEST_DIR"), "/scripts/setup; setup_receivers")])
    }

    fn bash(&self, arguments: &[&str]) -> Output {
        Command::new(self.path("bash"))
            .args(arguments)
            .env_clear()
            .env("PATH", self.folder.path())
            .env("HOME", self.folder.path())
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .output()
            .expect("bash starts")
    }

    /// What apt-get was told to install, one entry per call.
    fn installed(&self) -> Vec<Vec<String>> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let names = |line: &str| -> Option<Vec<String>> {
            let (_, names) = line.split_once("--no-install-recommends ")?;
            Some(names.split(' ').map(str::to_owned).collect())
        };
        log.lines().filter_map(names).collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_machine_that_has_everything_is_left_alone() {
    let machine = Machine::new(&[], Some("1.95.0"));
    let output = machine.setup();
    assert!(output.status.success(), "{}", said(&output));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{}", said(&output));
    assert!(!machine.path("log").exists());
}

#[test]
fn only_what_is_missing_is_installed() {
    let machine = Machine::new(&["clang", "libavfilter-dev"], Some("1.100.2"));
    let output = machine.setup();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(machine.installed(), [["clang", "libavfilter-dev"]]);
}

#[test]
fn rust_is_installed_when_there_is_none_or_an_old_one() {
    for cargo in [None, Some("1.63.0"), Some("1.94.9")] {
        let machine = Machine::new(&[], cargo);
        let output = machine.setup();
        assert!(output.status.success(), "{cargo:?}: {}", said(&output));
        assert_eq!(machine.installed(), [["cargo-web", "rust-web-clippy", "rustc-web", "rustfmt-web"]], "{cargo:?}");
    }
}

#[test]
fn without_root_and_sudo_it_says_what_to_run() {
    let machine = Machine::new(&["clang"], Some("1.95.0"));
    machine.tool("id", "echo 1000");
    let output = machine.setup();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("as root, run: "), "{}", said(&output));
    assert!(!machine.path("log").exists());
}

#[test]
fn a_package_that_cannot_be_installed_is_named() {
    let machine = Machine::new(&["clang"], Some("1.95.0"));
    machine.tool("apt-get", "[[ \"$*\" == *install* ]] && exit 100; exit 0");
    let output = machine.setup();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("could not install: clang"), "{}", said(&output));
}

#[test]
fn the_dashboard_gets_a_browser_and_its_packages_once() {
    let machine = Machine::new(&[], Some("1.95.0"));
    let here = machine.folder.path().display().to_string();
    machine.tool("npm", &format!("echo npm \"$*\" >> {here}/log"));
    let output = machine.setup_dashboard();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(machine.installed(), [["chromium", "nodejs"]]);
    for tool in ["chromium", "node"] {
        machine.tool(tool, "exit 0");
    }
    let before = fs::read_to_string(machine.path("log")).expect("is there");
    assert!(before.contains("npm ci "), "{before}");
    assert!(machine.setup_dashboard().status.success());
    assert_eq!(fs::read_to_string(machine.path("log")).expect("is there"), before, "nothing is installed twice");
}

#[test]
fn receivers_are_installed_where_they_are_missing() {
    let machine = Machine::new(&[], Some("1.95.0"));
    machine.tool("smilint", "exit 0");
    machine.tool("snmptranslate", "exit 0");
    let output = machine.setup_receivers();
    assert!(output.status.success(), "{}", said(&output));
    let installed = &machine.installed()[0];
    // Its place is fixed, so it may be here already.
    let names: Vec<&String> = installed.iter().filter(|name| *name != "snmptrapd").collect();
    assert_eq!(names, ["prometheus", "prometheus-alertmanager"]);
    for tool in ["amtool", "prometheus-alertmanager", "promtool"] {
        machine.tool(tool, "exit 0");
    }
    let before = fs::read_to_string(machine.path("log")).expect("is there");
    machine.setup_receivers();
    let again = fs::read_to_string(machine.path("log")).expect("is there");
    assert!(!again[before.len()..].contains("prometheus"), "{again}");
}
