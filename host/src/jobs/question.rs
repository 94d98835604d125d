//! What a job asks, and the answers so far, as they are kept.

use serde::{Deserialize, Serialize};

use crate::capability::types::{Abilities, Answer, Answers, Form, Question, Questions};

/// Questions, each under a name of the plugin's choice, and what the plugin wants to remember.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Asked {
    pub questions: Vec<(String, Kept)>,
    pub state: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    Form { message: String, schema: String },
    Sample(String),
    Roots,
}

/// The answer to one question.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Given {
    pub name: String,
    pub answer: KeptAnswer,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptAnswer {
    Given(String),
    Declined,
    Cancelled,
}

impl Asked {
    /// Those that have no answer yet.
    pub fn open(&self, given: &[Given]) -> Questions {
        let is_open = |name: &String| given.iter().all(|it| it.name != *name);
        let open = self.questions.iter().filter(|(name, _)| is_open(name));
        let ask = open.map(|(name, kept)| (name.clone(), kept.clone().into())).collect();
        Questions { ask, state: self.state.clone() }
    }

    pub fn asks(&self, name: &str) -> bool {
        self.questions.iter().any(|(asked, _)| asked == name)
    }

    /// All of it as the plugin reads it.
    pub fn answers(&self, given: &[Given]) -> Answers {
        let given = given.iter().map(|it| (it.name.clone(), it.answer.clone().into())).collect();
        Answers { given, state: self.state.clone() }
    }
}

impl Questions {
    /// What a client has to be able to do to answer them.
    pub fn needs(&self) -> Abilities {
        let need = |(_, question): &(String, Question)| match question {
            Question::Form(_) => Abilities::FORMS,
            Question::Sample(_) => Abilities::SAMPLING,
            Question::Roots => Abilities::ROOTS,
        };
        self.ask.iter().map(need).fold(Abilities::empty(), |all, one| all | one)
    }
}

impl From<Questions> for Asked {
    fn from(questions: Questions) -> Self {
        let kept = questions.ask.into_iter().map(|(name, question)| (name, question.into()));
        Self { questions: kept.collect(), state: questions.state }
    }
}

impl From<Question> for Kept {
    fn from(question: Question) -> Self {
        match question {
            Question::Form(Form { message, schema }) => Self::Form { message, schema },
            Question::Sample(parameters) => Self::Sample(parameters),
            Question::Roots => Self::Roots,
        }
    }
}

impl From<Kept> for Question {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Form { message, schema } => Self::Form(Form { message, schema }),
            Kept::Sample(parameters) => Self::Sample(parameters),
            Kept::Roots => Self::Roots,
        }
    }
}

impl From<Answer> for KeptAnswer {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Given(value) => Self::Given(value),
            Answer::Declined => Self::Declined,
            Answer::Cancelled => Self::Cancelled,
        }
    }
}

impl From<KeptAnswer> for Answer {
    fn from(kept: KeptAnswer) -> Self {
        match kept {
            KeptAnswer::Given(value) => Self::Given(value),
            KeptAnswer::Declined => Self::Declined,
            KeptAnswer::Cancelled => Self::Cancelled,
        }
    }
}
