//! Tokens that the owners of an application offer to a user, who takes or drops them.
//!
//! Nobody gets a token in another's name: the offer lets the user consent although he does not
//! administer the application's organisation.
//!
//! Source: Quay `endpoints/web.py`, `assign_user_to_app`; `contract/quay.md` 4.5.

use claviger_domain::{
    Error, id::AssignmentId, principal::PrincipalKind, role::OrgRole, scope::QuayScope,
};
use claviger_store::{
    applications, audit,
    grants::{self, Assignment},
    principals,
};

use crate::{
    app::App,
    applications::{PublicApplication, act},
    caller::{Caller, Origin},
    oauth_authorize::Asked,
    still::Right,
};

/// A token that was offered to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentView {
    /// Its id, with which he takes it.
    pub id: AssignmentId,
    /// The application.
    pub application: PublicApplication,
    /// Where the answer will go.
    pub redirect_uri: String,
    /// What it may do at most.
    pub scopes: Vec<QuayScope>,
    /// `token`.
    pub response_type: String,
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// The user finds it in his list.
    Done,
    /// There is no such application, or no such user.
    Nothing,
    /// The caller does not administer the application's organisation.
    NotAllowed,
    /// The answer could not go there.
    BadRedirect,
    /// There is no scope.
    NoScope,
}

impl App {
    /// Offers a token of an application to the user `name`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] (so for all of this file).
    pub async fn offer_token(
        &self,
        asked: Asked,
        name: &str,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<Offered, Error> {
        let client_id = asked.client_id.clone();
        let found = self.db.read(move |q| Ok(applications::find(q, &client_id)?)).await?;
        let Some((_, org)) = found else { return Ok(Offered::Nothing) };
        if !self.administers(caller, &org).await? {
            return Ok(Offered::NotAllowed);
        }
        let id = AssignmentId::random(self.chance());
        let (now, actor, local) = (self.now(), caller.actor(origin), self.local_application());
        let name = name.to_owned();
        let right = Right::In { namespace: org.id, name: org.name.clone(), role: OrgRole::Admin };
        self.write_as(caller, right, move |tx| {
            let Some((application, org)) = applications::find(tx, &asked.client_id)? else {
                return Ok(Offered::Nothing);
            };
            let user = principals::find_by_name(tx, &name)?;
            let Some(user) = user.filter(|user| user.kind == PrincipalKind::User) else {
                return Ok(Offered::Nothing);
            };
            if !asked.may_go_to(&application.redirect_uri, &local) {
                return Ok(Offered::BadRedirect);
            }
            if QuayScope::parse_set(&asked.scope).is_empty() {
                return Ok(Offered::NoScope);
            }
            let assignment = Assignment {
                id,
                application: application.id,
                client_id: asked.client_id,
                principal: user.id,
                redirect_uri: asked.redirect_uri,
                scope: asked.scope,
                response_type: asked.response_type,
                created_at: now,
            };
            grants::insert_assignment(tx, &assignment)?;
            let after = serde_json::json!({ "user": user.name, "scope": assignment.scope });
            let act = act("oauth_token_assigned", &application, &org.name);
            audit::append(tx, now, &actor, &act.change(None, Some(&after.to_string())))?;
            Ok(Offered::Done)
        })
        .await
    }

    /// What was offered to the caller, the oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn offered_tokens(&self, caller: &Caller) -> Result<Vec<AssignmentView>, Error> {
        let user = caller.principal.id;
        self.db
            .read(move |q| {
                let mut views = Vec::new();
                for assignment in grants::assignments(q, &user)? {
                    if let Some((application, org)) = applications::find(q, &assignment.client_id)?
                    {
                        views.push(AssignmentView {
                            id: assignment.id,
                            application: PublicApplication::new(application, org),
                            redirect_uri: assignment.redirect_uri,
                            scopes: QuayScope::parse_set(&assignment.scope),
                            response_type: assignment.response_type,
                        });
                    }
                }
                Ok(views)
            })
            .await
    }

    /// Drops what was offered to the caller.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it was not offered to him.
    pub async fn drop_offered_token(
        &self,
        caller: &Caller,
        id: AssignmentId,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (user, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        self.write_as(caller, Right::Himself, move |tx| {
            let found = grants::assignment(tx, &id)?;
            let found = found.filter(|assignment| assignment.principal == user);
            let assignment = found.ok_or(Error::NotFound("assignment"))?;
            grants::remove_assignment(tx, &id)?;
            if let Some((application, org)) = applications::find(tx, &assignment.client_id)? {
                let act = act("delete_oauth_assignment", &application, &org.name);
                audit::append(tx, now, &actor, &act)?;
            }
            Ok(())
        })
        .await
    }
}
