//! Avatars: what the pages draw beside a name, made of a hash of an address or a name.

use std::fmt::Write as _;

use claviger_domain::principal::PrincipalKind;
use claviger_service::{permissions::Face, settings::AvatarKind};
use md5::{Digest, Md5};
use ring::digest::{SHA256, digest};
use serde::Serialize;

/// Whose avatar it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AvatarOf {
    /// A user, and an organisation where it is shown as one.
    User,
    /// A robot.
    Robot,
    /// A team.
    Team,
    /// An organisation.
    Org,
    /// An OAuth application.
    App,
}

/// An avatar, as answers show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Avatar {
    name: String,
    hash: String,
    color: &'static str,
    kind: AvatarOf,
}

const COLORS: [&str; 32] = [
    "#969696", "#aec7e8", "#ff7f0e", "#ffbb78", "#2ca02c", "#98df8a", "#d62728", "#ff9896",
    "#9467bd", "#c5b0d5", "#8c564b", "#c49c94", "#e377c2", "#f7b6d2", "#7f7f7f", "#c7c7c7",
    "#bcbd22", "#1f77b4", "#17becf", "#9edae5", "#393b79", "#5254a3", "#6b6ecf", "#9c9ede",
    "#9ecae1", "#31a354", "#b5cf6b", "#a1d99b", "#8c6d31", "#ad494a", "#e7ba52", "#a55194",
];

impl Avatar {
    /// The avatar of a user, a robot, or an organisation that is shown as a user.
    pub(crate) fn of(style: AvatarKind, face: &Face) -> Self {
        let kind = match face.kind {
            PrincipalKind::User | PrincipalKind::Org => AvatarOf::User,
            PrincipalKind::Robot => AvatarOf::Robot,
        };
        Self::new(style, kind, &face.name, identifier(face))
    }

    /// The avatar of an organisation that is shown as such.
    pub(crate) fn of_org(style: AvatarKind, face: &Face) -> Self {
        Self::new(style, AvatarOf::Org, &face.name, identifier(face))
    }

    /// The avatar of a team.
    pub(crate) fn of_team(style: AvatarKind, name: &str) -> Self {
        Self::new(style, AvatarOf::Team, name, name)
    }

    /// The avatar of `name`, drawn from `identifier`: the e-mail address where there is one.
    pub(crate) fn new(style: AvatarKind, kind: AvatarOf, name: &str, identifier: &str) -> Self {
        let identifier = identifier.trim().to_lowercase();
        let bytes: Vec<u8> = match style {
            AvatarKind::Local => digest(&SHA256, identifier.as_bytes()).as_ref().to_vec(),
            AvatarKind::Gravatar => Md5::digest(identifier.as_bytes()).to_vec(),
        };
        let first = bytes.first().copied().unwrap_or_default();
        let color = COLORS.get(usize::from(first) % COLORS.len()).copied().unwrap_or_default();
        let hash = bytes.iter().fold(String::new(), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        Self { name: name.to_owned(), hash, color, kind }
    }
}

/// What a principal's avatar is drawn from.
pub(crate) fn identifier(face: &Face) -> &str {
    face.email.as_deref().or(face.avatar_key.as_deref()).unwrap_or(&face.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn avatar_is_the_hash_of_the_address_in_lower_case() {
        let local =
            Avatar::new(AvatarKind::Local, AvatarOf::User, "devtable", " Devtable@Example.com");
        assert_eq!(
            serde_json::to_value(local).unwrap(),
            json!({
                "name": "devtable",
                "hash": "03e5ed1ed7a95601c60fd106035dba39dfd5229dfacf825d153657794d341e98",
                "color": "#ffbb78",
                "kind": "user"
            })
        );
    }

    #[test]
    fn gravatar_is_md5() {
        let avatar = Avatar::new(AvatarKind::Gravatar, AvatarOf::Team, "readers", "readers");
        assert_eq!(avatar.hash, "79eb01f6e54b59703e988be49808558f");
        assert_eq!(avatar.color, "#31a354");
    }
}
