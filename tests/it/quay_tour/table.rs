//! The kinds of objects and the steps of their tours.

/// Whose objects they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A user who administers the organisation acme.
    User,
    /// A superuser.
    Superuser,
}

/// A kind of object.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) owner: Who,
    /// Where answers show its id, which is `{id}` in what follows.
    pub(super) key: Option<&'static str>,
    pub(super) steps: &'static [Step],
}

/// One request. `{n}` is the object's name.
pub(super) struct Step {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) body: &'static str,
    pub(super) status: u16,
    /// One of these is enough, the weakest stands first; none: it is for everybody.
    pub(super) scopes: &'static [&'static str],
    /// What the answer shows, by JSON pointers.
    pub(super) shows: &'static str,
    /// Whether a stranger has objects of this kind himself, and makes one here.
    pub(super) everybodys: bool,
    /// Whether it is about the caller's own: another's is absent.
    pub(super) own: bool,
}

impl Step {
    const fn new(
        method: &'static str,
        path: &'static str,
        body: &'static str,
        status: u16,
    ) -> Self {
        let (scopes, shows): (&[&str], &str) = (&[], "");
        Self { method, path, body, status, scopes, shows, everybodys: false, own: false }
    }

    const fn by(self, scopes: &'static [&'static str]) -> Self {
        Self { scopes, ..self }
    }

    const fn shows(self, shows: &'static str) -> Self {
        Self { shows, ..self }
    }

    const fn everybodys(self) -> Self {
        Self { everybodys: true, ..self }
    }

    const fn own(self) -> Self {
        Self { own: true, ..self }
    }
}

const fn get(path: &'static str) -> Step {
    Step::new("GET", path, "", 200)
}

const fn put(path: &'static str, body: &'static str) -> Step {
    Step::new("PUT", path, body, 200)
}

const fn made(path: &'static str, body: &'static str) -> Step {
    Step::new("PUT", path, body, 201)
}

const fn post(path: &'static str, body: &'static str, status: u16) -> Step {
    Step::new("POST", path, body, status)
}

const fn delete(path: &'static str) -> Step {
    Step::new("DELETE", path, "", 204)
}

const OWN: &[&str] = &["user:admin"];
const ORG: &[&str] = &["org:admin"];
const CREATE: &[&str] = &["repo:create", "org:admin"];
const READ: &[&str] = &["repo:read", "repo:write", "repo:admin"];
const WRITE: &[&str] = &["repo:write", "repo:admin"];
const ADMIN: &[&str] = &["repo:admin"];
const SUPER: &[&str] = &["super:user"];

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "user",
        owner: Who::Superuser,
        key: None,
        steps: &[
            post("/api/v1/superuser/users/", r#"{"username":"{n}","email":"{n}@x.example"}"#, 200)
                .by(SUPER),
            get("/api/v1/superuser/users/{n}")
                .by(SUPER)
                .shows(r#"{"/email":"{n}@x.example","/enabled":true,"/super_user":false}"#),
            put("/api/v1/superuser/users/{n}", r#"{"enabled":false,"password":"password1"}"#)
                .by(SUPER)
                .shows(r#"{"/enabled":false}"#),
            get("/api/v1/superuser/users/").by(SUPER),
            delete("/api/v1/superuser/users/{n}").by(SUPER),
            Step::new("GET", "/api/v1/superuser/users/{n}", "", 404).by(SUPER),
        ],
    },
    Kind {
        name: "organization",
        owner: Who::User,
        key: None,
        steps: &[
            post("/api/v1/organization/", r#"{"name":"org{n}","email":"{n}@x.example"}"#, 201)
                .by(OWN)
                .everybodys(),
            get("/api/v1/organization/org{n}").shows(r#"{"/name":"org{n}"}"#),
            put("/api/v1/organization/org{n}", r#"{"email":"b@x.example","tag_expiration_s":86400}"#)
                .by(ORG)
                .shows(r#"{"/email":"b@x.example","/tag_expiration_s":86400}"#),
            get("/api/v1/organization/org{n}/members").by(ORG),
            get("/api/v1/organization/org{n}/collaborators").by(ORG),
            get("/api/v1/organization/org{n}/logs").by(ORG),
            delete("/api/v1/organization/org{n}").by(ORG),
            Step::new("GET", "/api/v1/organization/org{n}", "", 404),
        ],
    },
    Kind {
        name: "superuser's organization",
        owner: Who::Superuser,
        key: None,
        steps: &[
            post("/api/v1/organization/", r#"{"name":"su{n}"}"#, 201).by(OWN).everybodys(),
            get("/api/v1/superuser/organizations/").by(SUPER),
            put("/api/v1/superuser/organizations/su{n}", r#"{"name":"to{n}"}"#)
                .by(SUPER)
                .shows(r#"{"/name":"to{n}"}"#),
            delete("/api/v1/superuser/organizations/to{n}").by(SUPER),
        ],
    },
    Kind {
        name: "team",
        owner: Who::User,
        key: None,
        steps: &[
            put("/api/v1/organization/acme/team/{n}", r#"{"role":"member","description":"a"}"#)
                .by(ORG)
                .shows(r#"{"/new_team":true,"/description":"a"}"#),
            get("/api/v1/organization/acme/team/{n}/members")
                .by(ORG)
                .shows(r#"{"/members":[],"/can_edit":true}"#),
            put("/api/v1/organization/acme/team/{n}", r#"{"role":"creator"}"#)
                .by(ORG)
                .shows(r#"{"/new_team":false,"/role":"creator","/description":"a"}"#),
            get("/api/v1/organization/acme/team/{n}/permissions")
                .by(ORG)
                .shows(r#"{"/permissions":[]}"#),
            delete("/api/v1/organization/acme/team/{n}").by(ORG),
        ],
    },
    Kind {
        name: "member",
        owner: Who::User,
        key: None,
        steps: &[
            put("/api/v1/organization/acme/team/devs/members/public", "")
                .by(ORG)
                .shows(r#"{"/name":"public","/invited":false}"#),
            get("/api/v1/organization/acme/team/devs/members")
                .by(ORG)
                .shows(r#"{"/members/0/name":"public"}"#),
            get("/api/v1/organization/acme/members/public")
                .by(ORG)
                .shows(r#"{"/teams/0/name":"devs"}"#),
            delete("/api/v1/organization/acme/team/devs/members/public").by(ORG),
            put("/api/v1/organization/acme/team/devs/members/public", "").by(ORG),
            delete("/api/v1/organization/acme/members/public").by(ORG),
            get("/api/v1/organization/acme/team/devs/members")
                .by(ORG)
                .shows(r#"{"/members":[]}"#),
        ],
    },
    Kind {
        name: "robot of an organization",
        owner: Who::User,
        key: None,
        steps: &[
            made("/api/v1/organization/acme/robots/{n}", r#"{"description":"d"}"#)
                .by(ORG)
                .shows(r#"{"/name":"acme+{n}","/description":"d"}"#),
            get("/api/v1/organization/acme/robots/{n}")
                .by(ORG)
                .shows(r#"{"/name":"acme+{n}","/description":"d"}"#),
            get("/api/v1/organization/acme/robots/{n}/permissions").by(ORG),
            post("/api/v1/organization/acme/robots/{n}/regenerate", "", 200).by(ORG),
            delete("/api/v1/organization/acme/robots/{n}").by(ORG),
        ],
    },
    Kind {
        name: "robot of a user",
        owner: Who::User,
        key: None,
        steps: &[
            made("/api/v1/user/robots/{n}", r#"{"token":"a-secret-from-elsewhere-{n}"}"#)
                .by(OWN)
                .everybodys()
                .shows(r#"{"/token":"a-secret-from-elsewhere-{n}"}"#),
            get("/api/v1/user/robots/{n}")
                .by(OWN)
                .own()
                .shows(r#"{"/token":"a-secret-from-elsewhere-{n}"}"#),
            get("/api/v1/user/robots/{n}/permissions").by(OWN).own(),
            post("/api/v1/user/robots/{n}/regenerate", "", 200).by(OWN).own(),
            delete("/api/v1/user/robots/{n}").by(OWN).own(),
        ],
    },
    Kind {
        name: "repository",
        owner: Who::User,
        key: None,
        steps: &[
            post(
                "/api/v1/repository",
                r#"{"namespace":"acme","repository":"{n}","visibility":"private","description":""}"#,
                201,
            )
            .by(CREATE),
            get("/api/v1/repository/acme/{n}")
                .by(READ)
                .shows(r#"{"/is_public":false,"/state":"NORMAL"}"#),
            get("/api/v1/repository/acme/{n}/tag/").by(READ),
            put("/api/v1/repository/acme/{n}", r#"{"description":"two\nlines"}"#).by(WRITE),
            put("/api/v1/repository/acme/{n}/changestate", r#"{"state":"READ_ONLY"}"#).by(ADMIN),
            get("/api/v1/repository/acme/{n}/logs").by(ADMIN),
            post("/api/v1/repository/acme/{n}/changevisibility", r#"{"visibility":"public"}"#, 200)
                .by(ADMIN),
            get("/api/v1/repository/acme/{n}").shows(
                r#"{"/is_public":true,"/state":"READ_ONLY","/description":"two\nlines"}"#,
            ),
            delete("/api/v1/repository/acme/{n}").by(ADMIN),
        ],
    },
    Kind {
        name: "star",
        owner: Who::User,
        key: None,
        steps: &[
            post("/api/v1/user/starred", r#"{"namespace":"acme","repository":"open"}"#, 201)
                .by(OWN)
                .everybodys(),
            get("/api/v1/user/starred").by(OWN).everybodys(),
            delete("/api/v1/user/starred/acme/open").by(OWN).everybodys(),
        ],
    },
    Kind {
        name: "permission of a user",
        owner: Who::User,
        key: None,
        steps: &[
            put("/api/v1/repository/acme/app/permissions/user/public", r#"{"role":"read"}"#)
                .by(ADMIN)
                .shows(r#"{"/role":"read","/is_org_member":false}"#),
            get("/api/v1/repository/acme/app/permissions/user/public")
                .by(ADMIN)
                .shows(r#"{"/role":"read"}"#),
            put("/api/v1/repository/acme/app/permissions/user/public", r#"{"role":"write"}"#)
                .by(ADMIN),
            get("/api/v1/repository/acme/app/permissions/user/")
                .by(ADMIN)
                .shows(r#"{"/permissions/public/role":"write"}"#),
            get("/api/v1/repository/acme/app/permissions/user/public/transitive")
                .by(ADMIN)
                .shows(r#"{"/permissions":[{"role":"write"}]}"#),
            delete("/api/v1/repository/acme/app/permissions/user/public").by(ADMIN),
        ],
    },
    Kind {
        name: "permission of a team",
        owner: Who::User,
        key: None,
        steps: &[
            put("/api/v1/repository/acme/app/permissions/team/devs", r#"{"role":"read"}"#)
                .by(ADMIN)
                .shows(r#"{"/role":"read"}"#),
            get("/api/v1/repository/acme/app/permissions/team/devs")
                .by(ADMIN)
                .shows(r#"{"/role":"read"}"#),
            put("/api/v1/repository/acme/app/permissions/team/devs", r#"{"role":"admin"}"#)
                .by(ADMIN),
            get("/api/v1/repository/acme/app/permissions/team/")
                .by(ADMIN)
                .shows(r#"{"/permissions/devs/role":"admin"}"#),
            delete("/api/v1/repository/acme/app/permissions/team/devs").by(ADMIN),
        ],
    },
    Kind {
        name: "default permission",
        owner: Who::User,
        key: Some("/id"),
        steps: &[
            post(
                "/api/v1/organization/acme/prototypes",
                r#"{"role":"read","delegate":{"kind":"team","name":"devs"},"activating_user":{"name":"reader"}}"#,
                200,
            )
            .by(ORG)
            .shows(r#"{"/role":"read","/delegate/name":"devs","/activating_user/name":"reader"}"#),
            get("/api/v1/organization/acme/prototypes")
                .by(ORG)
                .shows(r#"{"/prototypes/0/id":"{id}"}"#),
            put("/api/v1/organization/acme/prototypes/{id}", r#"{"role":"admin"}"#)
                .by(ORG)
                .shows(r#"{"/role":"admin"}"#),
            delete("/api/v1/organization/acme/prototypes/{id}").by(ORG),
        ],
    },
    Kind {
        name: "application",
        owner: Who::User,
        key: Some("/client_id"),
        steps: &[
            post("/api/v1/organization/acme/applications", r#"{"name":"{n}"}"#, 200)
                .by(ORG)
                .shows(r#"{"/name":"{n}","/redirect_uri":""}"#),
            get("/api/v1/organization/acme/applications/{id}")
                .by(ORG)
                .shows(r#"{"/name":"{n}"}"#),
            put(
                "/api/v1/organization/acme/applications/{id}",
                r#"{"name":"{n}","application_uri":"","redirect_uri":"http://a.example/cb"}"#,
            )
            .by(ORG)
            .shows(r#"{"/redirect_uri":"http://a.example/cb"}"#),
            get("/api/v1/organization/acme/applications").by(ORG),
            get("/api/v1/app/{id}").shows(r#"{"/name":"{n}"}"#),
            post("/api/v1/organization/acme/applications/{id}/resetclientsecret", "", 200).by(ORG),
            delete("/api/v1/organization/acme/applications/{id}").by(ORG),
            Step::new("GET", "/api/v1/app/{id}", "", 404),
        ],
    },
    Kind {
        name: "token of an application",
        owner: Who::User,
        key: Some("/uuid"),
        steps: &[
            post(
                "/api/v1/organization/acme/applications/{client}/tokens",
                r#"{"name":"{n}","scope":"org:admin"}"#,
                200,
            )
            .by(ORG)
            .shows(r#"{"/name":"{n}","/scope":"org:admin"}"#),
            get("/api/v1/organization/acme/applications/{client}/tokens").by(ORG),
            get("/api/v1/user/authorizations").by(OWN).everybodys(),
            get("/api/v1/user/authorizations/{id}").by(OWN).own().shows(r#"{"/uuid":"{id}"}"#),
            delete("/api/v1/organization/acme/applications/{client}/tokens/{id}").by(ORG),
            Step::new("GET", "/api/v1/user/authorizations/{id}", "", 404).by(OWN).own(),
        ],
    },
    Kind {
        name: "authorization of an application",
        owner: Who::User,
        key: Some("/uuid"),
        steps: &[
            post(
                "/api/v1/organization/acme/applications/{client}/tokens",
                r#"{"name":"{n}","scope":"org:admin"}"#,
                200,
            )
            .by(ORG),
            delete("/api/v1/user/authorizations/{id}").by(OWN).own(),
            Step::new("DELETE", "/api/v1/user/authorizations/{id}", "", 404).by(OWN).own(),
        ],
    },
    Kind {
        name: "app token",
        owner: Who::User,
        key: Some("/token/uuid"),
        steps: &[
            post("/api/v1/user/apptoken", r#"{"title":"{n}"}"#, 201)
                .by(OWN)
                .everybodys()
                .shows(r#"{"/token/title":"{n}"}"#),
            get("/api/v1/user/apptoken/{id}").by(OWN).own().shows(r#"{"/token/title":"{n}"}"#),
            get("/api/v1/user/apptoken").by(OWN).everybodys(),
            get("/api/v1/user/logs").by(OWN).everybodys(),
            delete("/api/v1/user/apptoken/{id}").by(OWN).own(),
            Step::new("GET", "/api/v1/user/apptoken/{id}", "", 404).by(OWN).own(),
        ],
    },
];
