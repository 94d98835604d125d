//! The images of a stack are fetched where they are missing, before anything is touched.

use serde_json::json;

use crate::docker::images::desk;

#[test]
fn images_are_pulled_where_they_are_missing_or_always_wanted() {
    let Some((mut desk, registry)) = desk() else { return };
    let project = desk.name("shop");
    let image = registry.name.clone();
    // What is in it runs nowhere.
    let yaml = format!(
        "services: {{a: {{image: '{image}', scale: 0, network_mode: none}}, b: {{image: '{image}', scale: 0, network_mode: none}}}}"
    );
    let told = desk.deploy_with(&project, &yaml, json!({"dry_run": true}));
    assert_eq!((&told["images_pulled"], registry.pulls()), (&json!([image]), 0));
    let never = json!({"project_name": project, "compose_yaml": yaml, "pull": "never"});
    assert!(desk.fails("deploy-compose", never).contains("it is not to be fetched"));
    assert_eq!(desk.deploy(&project, &yaml)["images_pulled"], json!([image]));
    let pulls = registry.pulls();
    assert!(pulls > 0);
    assert_eq!(desk.deploy(&project, &yaml)["images_pulled"], json!([]));
    assert_eq!(registry.pulls(), pulls);
    desk.deploy_with(&project, &yaml, json!({"pull": "always"}));
    assert!(registry.pulls() > pulls);

    let other = yaml.replace(&image, &format!("{}2", image.trim_end_matches('1')));
    let failed = desk.deploy_fails(&project, &other);
    assert!(failed.contains("Error pulling the image"), "{failed}");
}
