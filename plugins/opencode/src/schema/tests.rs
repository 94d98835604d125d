//! Which schemas are understood, and which values fit.

use serde_json::{Value, json};

use super::{check, fits};

#[track_caller]
fn fitting(schema: Value, value: Value, expected: Result<(), &str>) {
    let schema = json!({"type": "object", "properties": {"x": schema}});
    assert_eq!(check(&schema), Ok(()));
    let told = fits(&schema, &json!({"x": value}));
    assert_eq!(told, expected.map_err(str::to_owned));
}

#[test]
fn values_fit_or_it_is_said_where_they_do_not() {
    fitting(json!({"type": "integer", "minimum": 1}), json!(1.0), Ok(()));
    fitting(json!({"type": "integer"}), json!(1.5), Err("`/x` is no integer"));
    fitting(json!({"type": ["string", "null"]}), json!(null), Ok(()));
    fitting(json!({"type": ["string", "null"]}), json!(7), Err("`/x` is no string or null"));
    fitting(json!({"enum": ["a", 1]}), json!(1.0), Ok(()));
    fitting(
        json!({"enum": ["a"]}),
        json!("b"),
        Err("`/x` is none of the values that `enum` names"),
    );
    fitting(
        json!({"exclusiveMaximum": 3}),
        json!(3),
        Err("`/x` is a number that `exclusiveMaximum` forbids"),
    );
    fitting(json!({"multipleOf": 0.1}), json!(0.3), Ok(()));
    fitting(
        json!({"maxLength": 2}),
        json!("äöü"),
        Err("`/x` has 3 characters, which `minLength` or `maxLength` forbids"),
    );
    fitting(json!({"items": {"type": "string"}}), json!(["a", 2]), Err("`/x/1` is no string"));
    fitting(json!({"uniqueItems": true}), json!([1, 2, 1.0]), Err("`/x` has an item twice"));
    fitting(json!({"required": ["a"]}), json!({}), Err("`/x` lacks `a`"));
    fitting(
        json!({"additionalProperties": false}),
        json!({"a": 1}),
        Err("`/x/a` may not be there"),
    );
    fitting(
        json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        json!(1),
        Err("`/x` fits nothing of `anyOf`"),
    );
    fitting(
        json!({"oneOf": [{"type": "number"}, {"minimum": 0}]}),
        json!(1),
        Err("`/x` fits 2 of `oneOf`, and not one"),
    );
    fitting(
        json!({"allOf": [{"type": "number"}], "not": {"const": 3}}),
        json!(3),
        Err("`/x` fits what `not` forbids"),
    );
    fitting(json!(false), json!(3), Err("`/x` may not be there"));
}

#[test]
fn a_schema_may_lead_to_itself() {
    let node = json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["id"]});
    let schema = json!({"type": "object", "properties": {"first": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}});
    assert_eq!(check(&schema), Ok(()));
    assert_eq!(fits(&schema, &json!({"first": {"id": 1, "next": {"id": 2}}})), Ok(()));
    let told = fits(&schema, &json!({"first": {"id": 1, "next": {}}})).unwrap_err();
    assert_eq!(told, "`/first/next` lacks `id`");
    let endless = json!({"type": "object", "$ref": "#"});
    assert!(fits(&endless, &json!({})).unwrap_err().contains("deeper"));
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let refused = |schema: Value| check(&schema).unwrap_err();
    assert!(refused(json!({"type": "array"})).contains("`\"type\": \"object\"`"));
    assert!(refused(json!(true)).contains("`\"type\": \"object\"`"));
    let pattern = json!({"type": "object", "properties": {"a": {"pattern": "^x"}}});
    assert!(refused(pattern).contains("`schema/properties/a/pattern` is not understood"));
    assert!(
        refused(json!({"type": "object", "$ref": "http://a.example"})).contains("leads nowhere")
    );
    assert!(refused(json!({"type": "object", "properties": []})).contains("is no object"));
}

#[test]
fn few_mistakes_are_told() {
    let schema = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let value: Value = (0..20).map(|number| (number.to_string(), json!(1))).collect();
    assert_eq!(fits(&schema, &value).unwrap_err().matches("is no string").count(), 5);
}
