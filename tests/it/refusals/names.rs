//! What there is for each name in a template.

use super::astra;

pub(super) fn existing(name: &str, template: &str) -> &'static str {
    match name {
        "account" => astra::ACCOUNT,
        _ if template.starts_with("/accounts/") => astra::USER,
        "repository*" | "repository" => "buynlarge/orgrepo",
        "org" | "orgname" | "organization" => "buynlarge",
        "team" | "teamname" => "readers",
        "user" | "username" | "member" | "membername" | "name" => "public",
        "robot" | "shortname" | "robot_shortname" if template.contains("/user/") => "dtrobot",
        "robot" | "shortname" | "robot_shortname" => "coolrobot",
        "client" | "client_id" => "deadbeef",
        "kind" if template.starts_with("/claviger/") => "app",
        "id" if template.starts_with("/claviger/v1/tokens") => {
            "00000000-0000-4000-8000-0000000d0001"
        }
        "uuid" | "token" | "token_uuid" if template.contains("apptoken") => {
            "00000000-0000-4000-8000-0000000d0001"
        }
        "uuid" | "token" | "token_uuid" | "assignment" | "authorization" => {
            "00000000-0000-4000-8000-0000000000a5"
        }
        "prototype" | "prototypeid" | "id" => "00000000-0000-4000-8000-0000000b0000",
        "error" | "type" | "error_type" => "not_found",
        "prefix" => "rea",
        "path*" => "v2/buynlarge/orgrepo/manifests/latest",
        "code" | "email" => "nobody@example.com",
        other => panic!("say what `{{{other}}}` of {template} is"),
    }
}
