//! `admin …`: changes the store directly, beside a running server.
//!
//! What is printed on standard output is for scripts: an id, or a token, and nothing else.

use claviger_domain::{
    Error, TokenKind,
    account::ItemName,
    id::AccountId,
    name::{Namespace, TokenTitle},
    scope::{QuayScope, Scopes, openshift::OpenshiftScope},
};
use claviger_service::{
    App,
    install::MasterSource,
    passwords::Password,
    program::{Mint, ProgramToken, ProgramUser},
    signing::Renewal,
};

use crate::{
    cli::{Admin, CreateToken, CreateUser, Key, StoreArgs},
    commands::{Failure, block_on},
    config::Config,
    desk::{self, Desk},
    files, telemetry,
};

pub(super) fn run(command: Admin) -> Result<(), Failure> {
    match command {
        Admin::CreateUser(args) => create_user(args),
        Admin::SetPassword { name, password_file, store } => {
            let password = files::read_password(password_file.as_deref())?;
            work(&store, async |desk| set_password(&desk.app, name, &password).await)
        }
        Admin::CreateAccount { name, store } => work(&store, async |desk| {
            let id = desk.app.program_create_account(name, desk::operator()).await?;
            println!("{id}");
            Ok(())
        }),
        Admin::CreateToken(args) => create_token(args),
        Admin::RotateKey { which, authority, store } => work(&store, async |desk| match which {
            Key::Master => rotate_master_key(desk).await,
            Key::Signing => rotate_signing_key(&desk.app, authority).await,
        }),
    }
}

/// Opens the store, does `act`, and waits until the servers beside us know of it.
fn work(
    args: &StoreArgs,
    act: impl AsyncFnOnce(&Desk) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = Config::load(args.config.as_deref(), args.flags())?;
    telemetry::start(config.log_format, config.log_level);
    block_on(async {
        let desk = desk::open(config).await?;
        let outcome = match act(&desk).await {
            Ok(()) => desk.app.wait_for_servers().await.map_err(Failure::from),
            refused => refused,
        };
        desk.app.close();
        outcome
    })
}

fn create_user(args: CreateUser) -> Result<(), Failure> {
    let CreateUser { name, email, superuser, account, password_file, store } = args;
    let account = account
        .map(|id| id.parse::<AccountId>())
        .transpose()
        .map_err(|problem| Failure::usage(format!("--account {problem}")))?;
    let password = files::read_password(password_file.as_deref())?;
    work(&store, async |desk| {
        let password = new_password(&password)?;
        let user = ProgramUser { name, email, password, superuser, account };
        println!("{}", desk.app.program_create_user(user, desk::operator()).await?);
        Ok(())
    })
}

async fn set_password(app: &App, name: Namespace, password: &str) -> Result<(), Failure> {
    let password = new_password(password)?;
    println!("{}", app.program_set_password(name, password, desk::operator()).await?);
    Ok(())
}

fn new_password(text: &str) -> Result<Password, Failure> {
    Password::new(text).map_err(|error| match error {
        Error::Invalid { problem, .. } => Failure::refused(format!("the password {problem}")),
        other => other.into(),
    })
}

fn create_token(args: CreateToken) -> Result<(), Failure> {
    let CreateToken { user, kind, name, scope, expires_in, client, store } = args;
    let mint = mint(kind, scope.as_deref(), client)?;
    let name = if kind == TokenKind::Api { api_name(&name)? } else { name };
    let wish = ProgramToken { user, mint, name, life: expires_in };
    work(&store, async |desk| {
        let secret = desk.app.program_create_token(wish, desk::operator()).await?;
        println!("{}", secret.expose());
        Ok(())
    })
}

/// What an api token is called: its door knows none without a name.
fn api_name(given: &TokenTitle) -> Result<TokenTitle, Failure> {
    let text = if given.as_str().is_empty() { "claviger admin" } else { given.as_str() };
    let name: ItemName =
        text.parse().map_err(|problem| Failure::usage(format!("--name {problem}")))?;
    name.as_str().parse().map_err(|problem| Failure::usage(format!("--name {problem}")))
}

/// What the flags say about the token; flags of another kind are refused, because they would say
/// something that does not hold.
fn mint(kind: TokenKind, scope: Option<&str>, client: Option<String>) -> Result<Mint, Failure> {
    if let Some(scope) = scope
        && matches!(kind, TokenKind::App | TokenKind::Robot)
        && client.is_none()
    {
        return match (scope.trim(), kind) {
            (Scopes::DECIDE, TokenKind::App) => Ok(Mint::Decider),
            (Scopes::DECIDE, _) => Ok(Mint::RobotDecider),
            _ => Err(Failure::usage(
                "--scope: an app or robot token has all that its holder may do in the registry, \
                 or the one scope `decide`",
            )),
        };
    }
    let mint = match kind {
        TokenKind::App => Mint::App,
        TokenKind::Robot => Mint::Robot,
        TokenKind::Refresh => Mint::Refresh,
        TokenKind::Oauth => {
            let client_id = client.ok_or_else(|| {
                Failure::usage(
                    "a token of the kind oauth belongs to an application: give `--client`",
                )
            })?;
            let scopes = scopes(scope.unwrap_or_default())?;
            return Ok(Mint::Oauth { client_id, scopes });
        }
        TokenKind::Authorization => {
            if client.is_some() {
                return Err(Failure::usage("--client is for tokens of the kind oauth"));
            }
            let scopes = scope.unwrap_or_default().parse().map_err(|_| {
                let all = OpenshiftScope::OFFERED.join(" ");
                Failure::usage(format!("--scope: not every word is one of: {all}"))
            })?;
            return Ok(Mint::Authorization(scopes));
        }
        TokenKind::Api => Mint::Api,
    };
    match (scope, client) {
        (None, None) => Ok(mint),
        (_, Some(_)) => Err(Failure::usage("--client is for tokens of the kind oauth")),
        (Some(_), None) => Err(Failure::usage(
            "--scope is for tokens of the kinds oauth, authorization, app and robot",
        )),
    }
}

fn scopes(words: &str) -> Result<Vec<QuayScope>, Failure> {
    let scopes: Vec<_> = words
        .split_whitespace()
        .map(|word| {
            word.parse().map_err(|_| Failure::usage(format!("--scope: there is no scope `{word}`")))
        })
        .collect::<Result<_, _>>()?;
    if scopes.is_empty() {
        let all: Vec<_> = QuayScope::ALL.iter().map(|scope| scope.as_str()).collect();
        return Err(Failure::usage(format!("give `--scope`, words of: {}", all.join(" "))));
    }
    Ok(scopes)
}

async fn rotate_master_key(desk: &Desk) -> Result<(), Failure> {
    let _lock = desk.master.lock()?;
    let number = desk.app.rotate_master_key(desk.master.as_ref(), desk::operator()).await?;
    eprintln!(
        "generation {number} of the master key is in use; keep a copy of {} and never lose the \
         older generations in it, which still open what they made",
        desk.master.name()
    );
    Ok(())
}

async fn rotate_signing_key(app: &App, authority: bool) -> Result<(), Failure> {
    let renewal = if authority { Renewal::Authority } else { Renewal::Leaf };
    app.rotate_signing_key(renewal, desk::operator()).await?;
    eprintln!(
        "{}",
        if authority {
            "there is a new authority: give every registry the new certificate \
             (`claviger registry cert`) and restart it"
        } else {
            "there is a new signing key; registries of the distribution family need nothing, zot \
             and key set files need it (`claviger registry cert --leaf`)"
        }
    );
    Ok(())
}
