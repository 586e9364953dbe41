//! skopeo, a client of registries, as one person uses it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Somebody with credentials of his own.
#[derive(Debug)]
pub struct Skopeo {
    credentials: PathBuf,
}

/// What came of a command.
#[derive(Debug)]
pub struct Outcome {
    pub succeeded: bool,
    /// Both outputs.
    pub said: String,
}

impl Outcome {
    /// It must have succeeded.
    #[track_caller]
    pub fn works(self) -> String {
        assert!(self.succeeded, "{}", self.said);
        self.said
    }

    /// It must have been refused; what was said.
    #[track_caller]
    pub fn is_refused(self) -> String {
        assert!(!self.succeeded, "it should have been refused: {}", self.said);
        self.said
    }
}

impl Skopeo {
    /// Somebody whose credentials are kept in `folder`.
    pub fn of(folder: &Path, name: &str) -> Self {
        Self { credentials: folder.join(format!("{name}-auth.json")) }
    }

    /// `skopeo login`.
    pub fn login(&self, registry: &str, user: &str, password: &str) -> Outcome {
        self.run("login", &["--tls-verify=false", "-u", user, "-p", password, registry])
    }

    /// Pushes the image in `folder`.
    pub fn push(&self, folder: &Path, image: &str) -> Outcome {
        let source = format!("oci:{}:latest", folder.display());
        self.run("copy", &["--dest-tls-verify=false", &source, &format!("docker://{image}")])
    }

    /// Pulls an image into `folder`.
    pub fn pull(&self, image: &str, folder: &Path) -> Outcome {
        let target = format!("dir:{}", folder.display());
        self.run("copy", &["--src-tls-verify=false", &format!("docker://{image}"), &target])
    }

    /// Copies within the registry; layers are mounted across repositories.
    pub fn copy(&self, from: &str, to: &str) -> Outcome {
        let (from, to) = (format!("docker://{from}"), format!("docker://{to}"));
        self.run("copy", &["--src-tls-verify=false", "--dest-tls-verify=false", &from, &to])
    }

    /// `skopeo inspect`, `list-tags`, `delete`.
    pub fn ask(&self, command: &str, image: &str) -> Outcome {
        self.run(command, &["--tls-verify=false", &format!("docker://{image}")])
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Outcome {
        let Output { status, stdout, stderr } = Command::new("skopeo")
            .args(["--insecure-policy", command, "--authfile"])
            .arg(&self.credentials)
            .args(arguments)
            .output()
            .expect("skopeo is installed (scripts/test sees to it)");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome { succeeded: status.success(), said: text(&stdout) + &text(&stderr) }
    }
}
