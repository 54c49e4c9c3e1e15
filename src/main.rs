//! Parses arguments, calls a verb, turns an error into an exit code.
fn main() {
    std::process::exit(inspan::cli::main());
}
