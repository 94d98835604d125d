//! Questions of a guest to the client, in both eras of the protocol.
//!
//! The guest's call ends with its questions; it never waits on a person. In the first era the host asks and
//! calls again. In the second it answers "input required", with the guest's state sealed, and the client
//! calls again with the answers.

use std::collections::BTreeMap;

use rmcp::{
    ErrorData, Peer, RoleServer,
    model::{
        ClientCapabilities, CreateMessageRequestParams, ElicitRequestParams, InputRequest,
        InputRequiredResult, InputResponses,
    },
};
use serde_json::{Value, json};

use super::{
    Context, Server, convert, is_modern,
    seal::{Asked, Binding},
};
use crate::{
    capability::types::{Abilities, Answer, Answers, Code, Error, Question, Questions},
    registry::Schema,
    visible::shown,
};

/// How often one call may ask before it is taken for a bore.
const MOST_ROUNDS: usize = 10;

/// What one call of a guest comes to.
pub(super) enum Turn<T> {
    Done(T),
    Ask(Questions),
}

/// What the client gets.
pub(super) enum Reply<T> {
    Done(T),
    InputRequired(InputRequiredResult),
}

/// Why there is no reply: the call failed, or the request itself was wrong.
pub(super) enum Refusal {
    Failed(Error),
    Protocol(ErrorData),
}

/// What the client sent along to answer earlier questions.
pub(super) struct Sent {
    pub(super) responses: Option<InputResponses>,
    pub(super) state: Option<String>,
    /// Whether answers without a state are taken. They prove no consent.
    pub(super) harmless: bool,
}

impl Server {
    /// Calls a guest until it is done, or until the client has to be asked.
    pub(super) async fn converse<T, F>(
        &self,
        context: &Context,
        binding: &Binding<'_>,
        sent: Sent,
        call: impl Fn(Option<Answers>, Abilities) -> F + Send + Sync,
    ) -> Result<Reply<T>, Refusal>
    where
        F: Future<Output = Result<Turn<T>, Error>> + Send,
    {
        let abilities = convert::abilities(context.client_capabilities().as_ref());
        if is_modern(context) {
            let answers = self.answers(sent, binding).map_err(Refusal::Protocol)?;
            return match call(answers, abilities).await? {
                Turn::Done(done) => Ok(Reply::Done(done)),
                Turn::Ask(questions) => self.hand_over(questions, abilities, binding),
            };
        }
        let mut answers = None;
        for _ in 0..MOST_ROUNDS {
            match call(answers, abilities).await? {
                Turn::Done(done) => return Ok(Reply::Done(done)),
                Turn::Ask(questions) => {
                    refuse_unable(&questions, abilities)?;
                    answers = Some(ask(&context.peer, questions).await?);
                    // A yes to a call that was given up is none.
                    if context.ct.is_cancelled() {
                        return Err(Error::new(Code::Other, "cancelled").into());
                    }
                }
            }
        }
        Err(Error::new(Code::Limit, format!("it asked more than {MOST_ROUNDS} times")).into())
    }

    /// Second era: the answers that came with the request.
    fn answers(&self, sent: Sent, binding: &Binding<'_>) -> Result<Option<Answers>, ErrorData> {
        let responses = sent.responses.unwrap_or_default();
        let Some(sealed) = sent.state else {
            if responses.is_empty() || !sent.harmless {
                return Ok(None);
            }
            let given = responses.into_iter().filter_map(|(name, response)| {
                let answer = answer(&guess(&response)?, response)?;
                Some((name, answer))
            });
            return Ok(Some(Answers { given: given.collect(), state: String::new() }));
        };
        let pending = self.seal.open(&sealed, binding).map_err(|error| {
            ErrorData::invalid_params(
                format!("requestState: {error:#}; call again without it"),
                None,
            )
        })?;
        let given = responses.into_iter().filter_map(|(name, response)| {
            let answer = answer(pending.asked.get(&name)?, response)?;
            Some((name, answer))
        });
        Ok(Some(Answers { given: given.collect(), state: pending.state }))
    }

    /// Second era: gives the questions to the client, and the state with them.
    fn hand_over<T>(
        &self,
        questions: Questions,
        abilities: Abilities,
        binding: &Binding<'_>,
    ) -> Result<Reply<T>, Refusal> {
        let missing = questions.needs() & !abilities;
        if missing != Abilities::empty() {
            let error = ErrorData::missing_required_client_capability(required(missing));
            return Err(Refusal::Protocol(error));
        }
        let mut requests = BTreeMap::new();
        let mut asked = BTreeMap::new();
        for (name, question) in questions.ask {
            asked.insert(name.clone(), kind(&question));
            requests.insert(name, request(question)?);
        }
        let sealed = self.seal.close(questions.state, asked, binding).map_err(|error| {
            Error::new(Code::Other, format!("the question cannot be asked: {error:#}"))
        })?;
        Ok(Reply::InputRequired(InputRequiredResult::new(Some(requests), Some(sealed))))
    }
}

/// First era: asks the client, one question after the other.
async fn ask(peer: &Peer<RoleServer>, questions: Questions) -> Result<Answers, Error> {
    let mut given = Vec::new();
    for (name, question) in questions.ask {
        let kind = kind(&question);
        let response = put(peer, question).await?;
        if let Some(answer) = answer(&kind, response) {
            given.push((name, answer));
        }
    }
    Ok(Answers { given, state: questions.state })
}

/// First era: one question, and the client's answer as JSON.
async fn put(peer: &Peer<RoleServer>, question: Question) -> Result<Value, Error> {
    let failed = |error: String| {
        Error::new(Code::Unavailable, format!("the client did not answer: {error}"))
    };
    let answered = match question {
        Question::Form(form) => {
            let parameters = json!({
                "mode": "form",
                "message": shown(form.message),
                "requestedSchema": value(&form.schema)?,
            });
            let parameters: ElicitRequestParams = typed(parameters)?;
            serde_json::to_value(
                peer.create_elicitation(parameters)
                    .await
                    .map_err(|error| failed(error.to_string()))?,
            )
        }
        Question::Sample(parameters) => {
            let parameters: CreateMessageRequestParams = typed(value(&parameters)?)?;
            serde_json::to_value(
                peer.create_message(parameters).await.map_err(|error| failed(error.to_string()))?,
            )
        }
        Question::Roots => serde_json::to_value(
            peer.list_roots().await.map_err(|error| failed(error.to_string()))?,
        ),
    };
    answered.map_err(|error| failed(error.to_string()))
}

/// Second era: one question as the client reads it.
pub(super) fn request(question: Question) -> Result<InputRequest, Error> {
    let request = match question {
        Question::Form(form) => json!({
            "method": "elicitation/create",
            "params": {"mode": "form", "message": shown(form.message), "requestedSchema": value(&form.schema)?},
        }),
        Question::Sample(parameters) => {
            json!({"method": "sampling/createMessage", "params": value(&parameters)?})
        }
        Question::Roots => json!({"method": "roots/list", "params": {}}),
    };
    typed(request)
}

pub(super) fn kind(question: &Question) -> Asked {
    match question {
        Question::Form(form) => Asked::Form(form.schema.clone()),
        Question::Sample(_) => Asked::Sample,
        Question::Roots => Asked::Roots,
    }
}

/// The kind of question that this may answer.
fn guess(response: &Value) -> Option<Asked> {
    let has = |key| response.get(key).is_some();
    match response {
        _ if has("action") => Some(Asked::Form("{}".to_owned())),
        _ if has("roots") => Some(Asked::Roots),
        _ if has("content") => Some(Asked::Sample),
        _ => None,
    }
}

/// A client's answer as the guest reads it. None: it answers something else, and is to be asked again.
pub(super) fn answer(asked: &Asked, response: Value) -> Option<Answer> {
    match asked {
        Asked::Form(schema) => match response.get("action")?.as_str()? {
            "decline" => Some(Answer::Declined),
            "cancel" => Some(Answer::Cancelled),
            "accept" => {
                let content = response.get("content").cloned().unwrap_or_else(|| json!({}));
                let fits = Schema::new(schema).and_then(|schema| schema.check(&content));
                fits.is_ok().then(|| Answer::Given(content.to_string()))
            }
            _ => None,
        },
        Asked::Sample => {
            response.get("content")?;
            Some(Answer::Given(response.to_string()))
        }
        Asked::Roots => {
            let roots = response.get("roots")?;
            roots.is_array().then(|| Answer::Given(roots.to_string()))
        }
    }
}

/// First era: a client that cannot be asked is told so, and nothing is done.
fn refuse_unable(questions: &Questions, abilities: Abilities) -> Result<(), Error> {
    let missing = questions.needs() & !abilities;
    if missing == Abilities::empty() {
        return Ok(());
    }
    let what = if missing.contains(Abilities::FORMS) {
        "needs the user's answer, and this client cannot ask (it lacks `elicitation`)"
    } else if missing.contains(Abilities::SAMPLING) {
        "needs the client's own model, which this client does not offer (it lacks `sampling`)"
    } else {
        "needs to know the user's directories, which this client does not tell (it lacks `roots`)"
    };
    Err(Error::new(Code::Denied, format!("nothing was done: the call {what}")))
}

fn required(missing: Abilities) -> ClientCapabilities {
    let mut required = ClientCapabilities::default();
    required.elicitation = missing.contains(Abilities::FORMS).then(Default::default);
    required.sampling = missing.contains(Abilities::SAMPLING).then(Default::default);
    required.roots = missing.contains(Abilities::ROOTS).then(Default::default);
    required
}

fn value(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| bad_question(&error))
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| bad_question(&error))
}

fn bad_question(error: &serde_json::Error) -> Error {
    Error::new(Code::Other, format!("the plugin's question makes no sense: {error}"))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
