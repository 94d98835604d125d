//! `_meta.authorization`: a request that says itself whose it is, whatever it came through.
//!
//! It is taken out before anything else reads the request. One that is no good is refused, and never passed over.

use rmcp::{
    ErrorData, RoleServer,
    model::{GetExtensions as _, GetMeta as _, JsonRpcMessage},
    service::RxJsonRpcMessage,
};
use serde_json::Value;

use crate::access::{Caller, Refused};

const KEY: &str = "authorization";
/// How a JSON text can spell a letter of it otherwise.
const ESCAPE: &str = "\\u00";

/// Takes it out of a message that was read.
pub(super) fn take(message: &mut RxJsonRpcMessage<RoleServer>) -> Option<Value> {
    match message {
        JsonRpcMessage::Request(request) => request.request.get_meta_mut().remove(KEY),
        _ => None,
    }
}

/// Says whose a message is.
pub(super) fn sign(message: &mut RxJsonRpcMessage<RoleServer>, caller: Caller) {
    if let JsonRpcMessage::Request(request) = message {
        request.request.extensions_mut().insert(caller);
    }
}

/// What is answered to who is none of those whom the host knows.
pub(super) fn refusal(refused: &Refused) -> ErrorData {
    let message = match refused {
        Refused::Missing | Refused::Wrong => {
            "`_meta.authorization` is good for nobody; get another token, or leave it out"
        }
        other => other.told(),
    };
    ErrorData::invalid_params(message, None)
}

/// Takes it out of a message that was not read yet: what was taken out, and what is left.
pub(super) fn take_from(body: &[u8]) -> Option<(Value, Vec<u8>)> {
    // Most have none, and are not read twice.
    let text = str::from_utf8(body).ok().filter(|it| it.contains(KEY) || it.contains(ESCAPE))?;
    let mut message: Value = serde_json::from_str(text).ok()?;
    let meta = message.get_mut("params")?.get_mut("_meta")?.as_object_mut()?;
    let taken = meta.remove(KEY)?;
    Some((taken, message.to_string().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_out_however_it_is_spelt() {
        for key in ["authorization", "\\u0061uthorization", "authorizatio\\u006e"] {
            let text = format!(r#"{{"id":1,"params":{{"_meta":{{"{key}":"x","a":1}},"b":2}}}}"#);
            let (taken, left) = take_from(text.as_bytes()).unwrap();
            assert_eq!(taken, "x");
            assert_eq!(
                serde_json::from_slice::<Value>(&left).unwrap(),
                serde_json::json!({"id": 1, "params": {"_meta": {"a": 1}, "b": 2}})
            );
        }
        for text in [
            r#"{"params":{"arguments":{"authorization":"x"}}}"#,
            r#"{"params":{"_meta":{"a":"authorization"}}}"#,
            r#"{"authorization":"x"}"#,
            "authorization",
        ] {
            assert!(take_from(text.as_bytes()).is_none(), "{text}");
        }
    }
}
