//! Programs that are measured, each in a process of its own. Whatever is started here ends with
//! the value that stands for it.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{Outcome, yardstick};

const LISTENING: &str = "listening on http://";
/// What `/proc` counts in.
const TICKS_IN_A_SECOND: f64 = 100.0;
const PATIENCE: Duration = Duration::from_secs(60);

/// The program.
#[derive(Clone, Debug)]
pub(crate) struct Binary(PathBuf);

impl Binary {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A command of it, without the environment of this process.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.env_clear().stdin(Stdio::null());
        command
    }

    /// `serve` on the store in `data`.
    pub(crate) fn serve(&self, data: &Path) -> Command {
        let mut command = self.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
        command
    }
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts `command`, whose standard error goes to the file `log`, and waits until it listens.
    pub(crate) fn start(mut command: Command, log: &Path) -> Outcome<Self> {
        let child = command.stdout(Stdio::null()).stderr(File::create(log)?).spawn()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { child, log: log.to_owned(), address: nowhere };
        let started = Instant::now();
        loop {
            let said = fs::read_to_string(log)?;
            // a line that has come in part is none yet
            let mut whole = said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let Some(address) = whole.find_map(|line| line.strip_prefix(LISTENING)) {
                server.address = address.parse()?;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("a server ended at once ({status}):\n{said}").into());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("a server does not listen:\n{said}").into());
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// A yardstick's server: this program itself. Its log lies beside `log`.
    pub(crate) fn yardstick(kind: yardstick::Kind, log: &Path) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env_clear().stdin(Stdio::null()).args(["yardstick", kind.word()]);
        Self::start(command, &log.with_extension(kind.word()))
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).ok_or("no VmRSS")?;
        Ok(kib.trim().parse::<u64>()? * 1024)
    }

    /// The processor time that it has taken so far, in seconds, to a hundredth.
    pub(crate) fn processor_seconds(&self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // the name of the program, in parentheses, may hold blanks
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut times = fields.split_whitespace().skip(11).map(str::parse::<f64>);
        let mut next = || times.next().ok_or("no processor time");
        Ok((next()?? + next()??) / TICKS_IN_A_SECOND)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM first, so that the store is closed well; what cannot be stopped is killed
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        let started = Instant::now();
        while asked.as_ref().is_ok_and(std::process::ExitStatus::success)
            && started.elapsed() < Duration::from_secs(10)
            && matches!(self.child.try_wait(), Ok(None))
        {
            sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.log);
    }
}
