//! What `inspan vault` does.
use clap::{Args, Subcommand};

/// The actions on vaults.
#[derive(Subcommand, Clone, Debug)]
pub enum VaultAction {
    /// List the vaults and their credentials; of a key never more than its last four characters.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a vault, or one more credential to it: several take turns when one is limited.
    Add(Box<AddVault>),
    /// Remove a vault, or one of its credentials.
    Remove {
        /// The vault.
        name: String,
        /// Only this credential, as `list` names it.
        #[arg(long, value_name = "REF")]
        credential: Option<String>,
    },
    /// Ask each credential for its key, and its endpoint whether it takes that.
    Test {
        /// The vault, or a credential reference.
        name: String,
        /// Ask no endpoint.
        #[arg(long)]
        offline: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What a vault is made of.
#[derive(Args, Clone, Debug, Default)]
pub struct AddVault {
    /// Its name.
    pub name: String,
    /// Where the key is found: env:NAME, file:PATH, cmd:COMMAND, keyring:SERVICE/ACCOUNT, or `-` to hand it over on
    /// standard input or at a prompt that does not show it. Repeatable.
    #[arg(long, value_name = "REF", allow_hyphen_values = true)]
    pub credential: Vec<String>,
    /// The executor that it selects.
    #[arg(long, value_name = "E")]
    pub engine: Option<String>,
    /// Where its requests go; default: the engine's own provider.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// A gateway of config.toml, or a preset such as litellm.
    #[arg(long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// What is spoken there: messages, responses, chat or gemini. Repeatable.
    #[arg(long, value_name = "D")]
    pub dialect: Vec<String>,
    /// What a model is called there. Repeatable.
    #[arg(long, value_name = "ID=NAME")]
    pub model: Vec<String>,
    /// What fills a name in the preset's address, such as account_id=… and gateway_id=… of cloudflare. Repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    pub var: Vec<String>,
    /// llm (default) or mcp.
    #[arg(long, value_name = "R")]
    pub role: Option<String>,
    /// The tool server that these credentials are bound to (role mcp).
    #[arg(long, value_name = "URL")]
    pub mcp_server_url: Option<String>,
    /// The reference system's spelling of role, engine and base URL. Repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    pub metadata: Vec<String>,
    /// Put it in the place of the vault of that name.
    #[arg(long)]
    pub replace: bool,
}
