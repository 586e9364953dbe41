//! Invitations, where mail goes out: whoever is invited finds, accepts and declines his own.

use claviger_tests::{app::TestApp, visitor::Visitor};
use http::Method;
use serde_json::json;

use super::{ORG, acme, actions, make_repository, put_member, test_settings};

const NOTES: &str = "/api/v1/user/notifications";

async fn accept(by: &super::Person<'_>, code: &str) -> claviger_tests::answer::Answer {
    by.send(Method::PUT, &format!("/api/v1/teaminvite/{code}"), None, Vec::new()).await
}

claviger_tests::both! {
    async fn an_invitation_is_accepted_by_whoever_is_invited_alone(engine: Engine) {
        let mut settings = test_settings();
        settings.quay.feature_mailing = true;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = acme(&app).await;
        make_repository(&owner, "app").await;
        let permission = "/api/v1/repository/acme/app/permissions/team/devs";
        assert_eq!(owner.put(permission, json!({"role": "write"})).await.status, 200);
        owner.put(&format!("{ORG}/team/ops"), json!({"role": "member"})).await;
        let invited = Visitor::sign_in(&app, "public", "password").await;
        let none = json!({"notifications": [], "additional": false});
        assert_eq!(invited.get(NOTES).await.json(), none);
        for team in ["devs", "ops"] {
            assert_eq!(put_member(&owner, team, "public").await.json()["invited"], true);
        }
        let notes = invited.get(&format!("{NOTES}?limit=1")).await.json();
        assert_eq!(notes["additional"], true);
        assert_eq!(notes["notifications"][0]["metadata"]["team"], "ops", "the newest first");
        let notes = invited.get(&format!("{NOTES}?limit=1&page=2")).await.json();
        assert_eq!(notes["additional"], false);
        let note = &notes["notifications"][0];
        let code = note["metadata"]["code"].as_str().expect("a code");
        assert_eq!(
            note["metadata"],
            json!({"code": code, "inviter": "reader", "org": "acme", "team": "devs"})
        );
        assert_eq!(
            (&note["kind"], &note["organization"], &note["dismissed"]),
            (&json!("org_team_invite"), &json!(null), &json!(false))
        );
        let id = note["id"].as_str().expect("an id");
        assert_eq!(invited.get(&format!("{NOTES}/{id}")).await.json(), *note);
        assert_eq!(actions(&app, "public", "password").await, Ok(json!([])), "not a member yet");

        // a code is nobody else's
        let stranger = Visitor::sign_in(&app, "freshuser", "password").await;
        for by in [&stranger, &owner] {
            for code in [code, "nosuch"] {
                let refused = accept(by, code).await;
                assert_eq!(refused.status, 400);
                assert_eq!(refused.json(), json!({"message": "Invalid confirmation code."}));
                let path = format!("/api/v1/teaminvite/{code}");
                assert_eq!(by.delete(&path).await.status, 400);
            }
            assert_eq!(by.get(&format!("{NOTES}/{id}")).await.status, 404);
        }
        assert_eq!(accept(&Visitor::stranger(&app).await, code).await.status, 401);

        // accepted for every team of the organisation, and felt at once
        let joined = accept(&invited, code).await;
        assert_eq!((joined.status.as_u16(), joined.json()), (200, json!({"org": "acme", "team": "devs"})));
        assert_eq!(actions(&app, "public", "password").await, Ok(json!(["pull", "push"])));
        for team in ["devs", "ops"] {
            let members = owner.get(&format!("{ORG}/team/{team}/members?includePending=True")).await;
            assert_eq!(members.json()["members"][0]["invited"], false, "{team}");
        }
        assert_eq!(invited.get(NOTES).await.json(), none);
        assert_eq!(accept(&invited, code).await.status, 400, "it is used up");
    }

    async fn an_invitation_that_is_declined_or_taken_back_is_none(engine: Engine) {
        let mut settings = test_settings();
        settings.quay.feature_mailing = true;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = acme(&app).await;
        let invited = Visitor::sign_in(&app, "public", "password").await;
        let code = async || {
            put_member(&owner, "devs", "public").await;
            let notes = invited.get(NOTES).await.json();
            notes["notifications"][0]["id"].as_str().expect("a code").to_owned()
        };
        let given = code().await;
        assert_eq!(invited.delete(&format!("/api/v1/teaminvite/{given}")).await.status, 204);
        assert_eq!(accept(&invited, &given).await.status, 400, "declined");
        let given = code().await;
        let taken = owner.delete(&format!("{ORG}/team/devs/members/public")).await;
        assert_eq!(taken.status, 204);
        assert_eq!(accept(&invited, &given).await.status, 400, "taken back");
        let given = code().await;
        assert_eq!(owner.delete(&format!("{ORG}/team/devs")).await.status, 204);
        assert_eq!(accept(&invited, &given).await.status, 400, "its team is gone");
        let log = owner.get(&format!("{ORG}/logs")).await.json();
        let declined = log["logs"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|entry| entry["kind"] == "org_team_member_invite_declined");
        let declined = &declined.expect("it is logged")["metadata"];
        assert_eq!(
            *declined,
            json!({"member": "public", "inviter": "reader", "team": "devs", "namespace": "acme"})
        );
    }

    async fn without_mail_there_are_no_codes(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        let none = json!({"notifications": [], "additional": false});
        assert_eq!(owner.get(NOTES).await.json(), none);
        let answer = accept(&owner, "nosuch").await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (404, ""));
    }
}
