use super::*;
use crate::executors::by_id;
use std::os::unix::fs::PermissionsExt;

/// A machine with an npm of our making: it writes `npm_body`'s package into the prefix that it is given.
struct Machine {
    vendor: bool,
    dir: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

const INSTALLS: &str = r#"
prefix=; spec=
while [ $# -gt 0 ]; do case "$1" in --prefix) shift; prefix=$1;; *@*) spec=$1;; esac; shift; done
echo "added 1 package"
mkdir -p "$prefix/node_modules/.bin"
printf '#!/bin/sh\necho "%s (fake)"\n' "${spec##*@}" > "$prefix/node_modules/.bin/codex"
chmod +x "$prefix/node_modules/.bin/codex"
"#;

impl Machine {
    fn new(npm_body: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 11.0.0; exit 0; }}\n{npm_body}\n");
        put_script(&bin.join("npm"), &script);
        put_script(&bin.join("node"), "#!/bin/sh\necho v18.1.0\n");
        let path = format!("{}:/usr/bin:/bin", bin.display());
        Self { vendor: false, env: BTreeMap::from([("PATH".to_owned(), path)]), dir }
    }

    fn install(&self, name: &str) -> (Result<Installed, InstallError>, Vec<Progress>) {
        self.install_as(name, false)
    }

    fn install_as(&self, name: &str, newest: bool) -> (Result<Installed, InstallError>, Vec<Progress>) {
        let mut told = Vec::new();
        let options = InstallOptions { env: &self.env, again: false, newest, vendor: self.vendor };
        let executor = by_id(&name.into()).unwrap();
        (install(executor, &self.dir.path().join("data"), options, &mut |p| told.push(p)), told)
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("data/executors/codex")
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = entries(&self.root()).iter().map(|p| named(p).to_owned()).collect();
        names.sort();
        names
    }
}

fn put_script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn version() -> &'static str {
    by_id(&"codex".into()).unwrap().package().unwrap().version
}

#[test]
fn a_version_is_installed_once_after_its_size_was_told() {
    let machine = Machine::new(INSTALLS);
    let (done, told) = machine.install("codex");
    let done = done.unwrap();
    assert!(matches!(told[0], Progress::Size { mb: 404, .. }), "{told:?}");
    assert!(told.contains(&Progress::Line("added 1 package".into())), "{told:?}");
    assert_eq!((done.version.as_str(), done.already), (version(), false));
    assert_eq!(done.binary, machine.root().join("current/node_modules/.bin/codex"));
    assert!(done.binary.is_file());
    let (again, told) = machine.install("codex");
    // A process that another test started at this moment may hold the lock's file until it runs its program.
    let told: Vec<_> = told.into_iter().filter(|p| !matches!(p, Progress::Step(_))).collect();
    assert_eq!((again.unwrap(), told), (Installed { already: true, ..done }, Vec::new()));
    assert_eq!(machine.names(), [".lock", version(), "current"]);
}

#[test]
fn the_version_before_stays_and_leftovers_go() {
    let machine = Machine::new(INSTALLS);
    let root = machine.root();
    for dir in ["0.1.0", "0.2.0", ".unfinished-1/node_modules"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    symlink("0.2.0", root.join("current")).unwrap();
    machine.install("codex").0.unwrap();
    assert_eq!(
        machine.names(),
        [".lock", version(), "0.2.0", "current", "previous"].map(str::to_owned).sorted()
    );
    assert_eq!(fs::read_link(root.join("previous")).unwrap(), Path::new("0.2.0"));
    assert_eq!(fs::read_link(root.join("current")).unwrap(), Path::new(version()));
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl<const N: usize> Sorted for [String; N] {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}

#[test]
fn a_failing_npm_is_quoted_and_changes_nothing() {
    let machine = Machine::new("echo 'npm error code E404' >&2; exit 7");
    let root = machine.root();
    fs::create_dir_all(root.join("0.2.0")).unwrap();
    symlink("0.2.0", root.join("current")).unwrap();
    let said = machine.install("codex").0.unwrap_err().to_string();
    assert!(said.contains("exit status: 7") && said.contains("npm: npm error code E404"), "{said}");
    assert!(said.contains("run the same command again"), "{said}");
    assert_eq!(fs::read_link(root.join("current")).unwrap(), Path::new("0.2.0"));
    assert_eq!(machine.names(), [".lock", "0.2.0", "current"]);
}

#[test]
fn a_binary_of_another_version_never_becomes_current() {
    let machine = Machine::new(&INSTALLS.replace("${spec##*@}", "0.0.1"));
    let said = machine.install("codex").0.unwrap_err().to_string();
    assert!(said.contains("its binary says version 0.0.1"), "{said}");
    assert_eq!(machine.names(), [".lock"]);
    let machine = Machine::new("exit 0");
    let said = machine.install("codex").0.unwrap_err().to_string();
    assert!(said.contains("holds no binary for this machine"), "{said}");
}

#[test]
fn missing_tools_are_refused_with_their_remedy() {
    let mut machine = Machine::new(INSTALLS);
    let said = machine.install("gemini").0.unwrap_err().to_string();
    assert!(said.contains("Node.js 18.1.0 is too old") && said.contains("needs 20 or newer"), "{said}");
    machine.env.insert("PATH".into(), machine.dir.path().display().to_string());
    let said = machine.install("codex").0.unwrap_err().to_string();
    assert!(said.contains("npm was not found on your PATH") && said.contains("install Node.js"), "{said}");
}

#[test]
fn a_full_disk_is_told_before_and_while_it_is_filled() {
    let machine = Machine::new("echo 'npm error code ENOSPC' >&2; exit 228");
    let said = machine.install("codex").0.unwrap_err().to_string();
    assert!(
        said.contains("has no room for codex · 404 MB are needed") && said.contains("free some space"),
        "{said}"
    );
    let codex = by_id(&"codex".into()).unwrap();
    let options = InstallOptions { env: &machine.env, again: false, newest: false, vendor: false };
    let (package, version) = (codex.package().unwrap(), version().to_owned());
    let place = Place { executor: codex, package, options, version, dir: machine.root() };
    assert!(place.room(&machine.root(), Some(404)).is_ok() && place.room(&machine.root(), None).is_ok());
    let said = place.room(&machine.root(), Some(403)).unwrap_err().to_string();
    assert!(said.contains("403 MB are free") && said.contains("XDG_DATA_HOME"), "{said}");
}

/// A machine without npm whose `curl` has this script to give.
fn without_npm(script: &str) -> Machine {
    let mut machine = Machine::new("exit 1");
    let tools = machine.dir.path().join("tools");
    fs::create_dir(&tools).unwrap();
    for tool in ["bash", "sh", "mkdir", "chmod", "cat", "sleep"] {
        let found =
            ["/usr/bin", "/bin"].iter().map(|dir| Path::new(dir).join(tool)).find(|file| file.exists());
        symlink(found.unwrap(), tools.join(tool)).unwrap();
    }
    fs::write(machine.dir.path().join("script"), script).unwrap();
    let curl = format!(
        "#!/bin/sh\nwhile [ $# -gt 1 ]; do case $1 in -o) out=$2; shift;; esac; shift; done\n\
         echo \"asked for $1\"; cat {} > \"$out\"\n",
        machine.dir.path().join("script").display()
    );
    put_script(&tools.join("curl"), &curl);
    machine.env.insert("PATH".into(), tools.display().to_string());
    machine.env.insert("HOME".into(), machine.dir.path().join("home").display().to_string());
    machine
}

#[test]
fn without_npm_the_vendors_own_installer_does_it_when_the_person_agrees() {
    let script = "set -e\n[ \"$1\" = --version ]; [ \"$3\" = --no-modify-path ]\nmkdir -p \"$HOME/.opencode/bin\"\n\
        printf '#!/bin/sh\\necho %s\\n' \"$2\" > \"$HOME/.opencode/bin/opencode\"\n\
        chmod +x \"$HOME/.opencode/bin/opencode\"\n";
    let mut machine = without_npm(script);
    let said = machine.install("opencode").0.unwrap_err().to_string();
    assert!(
        said.contains("npm was not found") && said.contains("inspan install opencode --vendor"),
        "{said}"
    );
    machine.vendor = true;
    let (done, told) = machine.install("opencode");
    let done = done.unwrap();
    assert_eq!(done.binary.file_name().unwrap(), "opencode");
    assert!(done.binary.starts_with(machine.dir.path().join("data/executors/opencode/current")), "{done:?}");
    assert!(
        told.iter().any(|p| matches!(p, Progress::Line(line) if line.starts_with("asked for https://"))),
        "{told:?}"
    );
    assert!(!machine.dir.path().join("home").exists(), "nothing of the person's is touched");
    let said = machine.install("codex").0.unwrap_err().to_string();
    assert!(said.contains("codex has no installer of its vendor's"), "{said}");
    let mut broken = without_npm("echo 'no release for this system' >&2; exit 1");
    broken.vendor = true;
    let said = broken.install("opencode").0.unwrap_err().to_string();
    assert!(said.contains("did not install opencode") && said.contains("installer: no release"), "{said}");
}

#[test]
fn oh_my_opencode_is_installed_beside_opencode_and_is_no_executor() {
    let known = crate::executors::installable(&"oh-my-opencode".into()).unwrap();
    assert_eq!(known.package().unwrap().version, "4.19.4");
    assert!(by_id(&"oh-my-opencode".into()).is_err());
    assert!(crate::executors::installable(&"oh-my-codex".into()).is_err());
}

#[test]
fn the_newest_version_is_asked_for_and_one_command_goes_back() {
    let asked = format!("[ \"$1\" = view ] && {{ echo 9.9.1; exit 0; }}\n{INSTALLS}");
    let machine = Machine::new(&asked);
    let codex = by_id(&"codex".into()).unwrap();
    let data = machine.dir.path().join("data");
    let nothing = back(codex, &data, &machine.env).unwrap_err().to_string();
    assert!(nothing.contains("no earlier version of codex"), "{nothing}");
    machine.install("codex").0.unwrap();
    let (done, told) = machine.install_as("codex", true);
    assert_eq!(done.unwrap().version, "9.9.1");
    assert!(matches!(&told[0], Progress::Size { version, .. } if version == "9.9.1"), "{told:?}");
    let in_use = || fs::read_link(machine.root().join("current")).unwrap();
    assert_eq!(in_use(), Path::new("9.9.1"));
    assert_eq!(back(codex, &data, &machine.env).unwrap().version, version());
    assert_eq!(in_use(), Path::new(version()));
    assert_eq!(back(codex, &data, &machine.env).unwrap().version, "9.9.1", "and forth");
    let silent = Machine::new("exit 1").install_as("codex", true).0.unwrap_err().to_string();
    assert!(silent.contains("names no version"), "{silent}");
}

#[test]
fn a_compressed_binary_is_unpacked_in_its_place() {
    const PACKED: &str = r#"
prefix=
while [ $# -gt 0 ]; do case "$1" in --prefix) shift; prefix=$1;; esac; shift; done
bin="$prefix/node_modules/@xai-official/grok-linux-x64/bin"
mkdir -p "$bin"
printf '#!/bin/sh\necho grok 1.0.41\n' > "$bin/grok.br"
"#;
    let machine = Machine::new(PACKED);
    let unpacks = "#!/bin/sh\n[ \"$1\" = -e ] || exit 1\nshift 3\ncp \"$1\" \"$2\" && chmod +x \"$2\"\n";
    put_script(&machine.dir.path().join("bin/node"), unpacks);
    let done = machine.install("grok").0.unwrap();
    assert_eq!(done.version, "1.0.41");
    assert!(done.binary.ends_with("grok-linux-x64/bin/grok"));
    put_script(&machine.dir.path().join("bin/node"), "#!/bin/sh\nexit 1\n");
    let other = Machine { vendor: false, dir: tempfile::tempdir().unwrap(), env: machine.env.clone() };
    let said = other.install("grok").0.unwrap_err().to_string();
    assert!(said.contains("could not be unpacked"), "{said}");
}

/// A Python of our making: it says `version`, and makes environments whose pip notes what it is asked for.
fn python(version: &str, modules: &str) -> String {
    format!(
        r#"case "$*" in
-c*) echo {version}; echo '{modules}';;
"-m venv "*)
  mkdir -p "$3/bin"
  cat >"$3/bin/python3" <<'END'
#!/bin/sh
case "$*" in
"-m pip install "*) echo "Collecting $*"; echo "$*" >"${{0%/bin/*}}/asked"; echo "$PIP_USER $PYTHONPATH" >>"${{0%/bin/*}}/asked";;
"-I -c import agents"*) echo openai-agents 0.24.0;;
*) echo "runs $*";;
esac
END
  chmod +x "$3/bin/python3";;
esac"#
    )
}

fn agents(python3: &str) -> Machine {
    let mut machine = Machine::new("exit 9");
    put_script(&machine.dir.path().join("bin/python3"), &format!("#!/bin/sh\n{python3}\n"));
    // Nothing of this machine's own: it may have a Python.
    for tool in ["sh", "cat", "mkdir", "chmod"] {
        symlink(Path::new("/bin").join(tool), machine.dir.path().join("bin").join(tool)).unwrap();
    }
    machine.env.insert("PATH".into(), machine.dir.path().join("bin").display().to_string());
    machine.env.insert("PYTHONPATH".into(), "/foreign".into());
    machine
}

#[test]
fn a_python_package_gets_an_environment_of_its_own() {
    let machine = agents(&python("3.12", "whole"));
    let (done, told) = machine.install("openai-agents");
    let done = done.unwrap();
    assert!(matches!(told[0], Progress::Size { package: "openai-agents", mb: 120, .. }), "{told:?}");
    assert!(told.iter().any(|p| matches!(p, Progress::Line(l) if l.starts_with("Collecting"))), "{told:?}");
    let root = machine.dir.path().join("data/executors/openai-agents");
    assert_eq!(done.binary, root.join("current/bin/openai-agents-python"));
    let asked = fs::read_to_string(root.join("current/asked")).unwrap();
    assert!(asked.contains(" openai-agents==0.24.0 openai==") && asked.ends_with("\n0 \n"), "{asked}");
    // Under the name that outlives the version it is the environment's interpreter.
    let said = Command::new(&done.binary).args(["-u", "x.py"]).env_clear().output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "runs -u x.py\n");
    assert!(machine.install("openai-agents").0.unwrap().already);
}

#[test]
fn a_python_that_cannot_do_it_is_refused_with_the_remedy() {
    let said = |machine: &Machine| machine.install("openai-agents").0.unwrap_err().to_string();
    let old = said(&agents(&python("3.9", "whole")));
    assert!(old.contains("Python 3.9 (python3) is too old · Python 3.10 or newer"), "{old}");
    let bare = said(&agents(&python("3.12", "No module named ensurepip")));
    assert!(bare.contains("cannot make environments: No module named ensurepip"), "{bare}");
    assert!(bare.contains("apt install python3-venv"), "{bare}");
    let mut none = agents("exit 1");
    none.env.insert("PATH".into(), none.dir.path().display().to_string());
    assert!(said(&none).starts_with("python3 was not found on your PATH"), "{}", said(&none));
}

#[test]
fn a_failing_pip_is_quoted_and_leaves_nothing() {
    let broken = python("3.12", "whole")
        .replace(r#"echo "Collecting $*""#, "echo 'ERROR: No matching distribution' >&2; exit 1");
    let machine = agents(&broken);
    let said = machine.install("openai-agents").0.unwrap_err().to_string();
    assert!(said.contains("pip could not install openai-agents==0.24.0 · exit status: 1"), "{said}");
    assert!(said.contains("pip: ERROR: No matching distribution"), "{said}");
    let left: Vec<_> = entries(&machine.dir.path().join("data/executors/openai-agents"));
    assert_eq!(left.iter().map(|path| named(path)).collect::<Vec<_>>(), [".lock"]);
}
