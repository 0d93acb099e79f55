//! Text to a graph.

use super::lex::{Lexer, Place, Token};
use super::operator::{self, Given, Value};
use super::{ParseError, ParseErrorKind, value};
use crate::graph::{Graph, Operator, Variable};
use crate::tensor::{DataType, ElementType, Quantisation, Shape, Tensor, TensorId};
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

/// Deepest nesting of lists; the format needs two.
const MOST_NESTING: usize = 4;

/// Reads the [textual form](super). The graph is not validated.
///
/// # Errors
/// The first place at which the text does not follow the grammar.
pub fn parse(text: &str) -> Result<Graph, ParseError> {
    let mut lexer = Lexer::new(text);
    let (token, place) = lexer.next()?;
    let mut parser = Parser { lexer, token, place, tensors: HashMap::new(), used: Vec::new() };
    parser.file()
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token to be looked at next, and its place.
    token: Token<'a>,
    place: Place,
    tensors: HashMap<u32, Tensor>,
    used: Vec<(u32, Place)>,
}

type Parsed<T> = Result<T, ParseError>;

impl<'a> Parser<'a> {
    fn file(&mut self) -> Parsed<Graph> {
        self.keyword("graph")?;
        let mut graph = Graph::new(self.string()?);
        self.keyword("inputs")?;
        graph.inputs = self.ids()?;
        self.keyword("outputs")?;
        graph.outputs = self.ids()?;
        if self.word_is("variables") {
            self.advance()?;
            graph.variables = self.variables()?;
        }
        while self.token != Token::End {
            if let Some(operator) = self.statement()? {
                graph.operators.push(operator);
            }
        }
        let end = self.place;
        for i in 0..self.tensors.len() as u32 {
            let tensor = self.tensors.remove(&i).ok_or_else(|| end.error(ParseErrorKind::NotDeclared(i)))?;
            graph.tensors.push(tensor);
        }
        match self.used.iter().find(|(t, _)| *t as usize >= graph.tensors.len()) {
            Some(&(t, place)) => Err(place.error(ParseErrorKind::NotDeclared(t))),
            None => Ok(graph),
        }
    }

    // Tokens.

    fn advance(&mut self) -> Parsed<Token<'a>> {
        let (token, place) = self.lexer.next()?;
        self.place = place;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn expected<T>(&self, expected: impl Into<String>) -> Parsed<T> {
        let (expected, found) = (expected.into(), self.token.describe());
        Err(self.place.error(ParseErrorKind::Expected { expected, found }))
    }

    fn keyword(&mut self, word: &'static str) -> Parsed<()> {
        match self.word_is(word) {
            true => self.advance().map(drop),
            false => self.expected(format!("{word:?}")),
        }
    }

    fn word_is(&self, word: &str) -> bool {
        self.token == Token::Word(word)
    }

    fn at(&self, mark: char) -> bool {
        self.token == Token::Mark(mark)
    }

    /// Takes the mark if it stands here.
    fn take(&mut self, mark: char) -> Parsed<bool> {
        let here = self.at(mark);
        if here {
            self.advance()?;
        }
        Ok(here)
    }

    fn mark(&mut self, mark: char) -> Parsed<()> {
        match self.take(mark)? {
            true => Ok(()),
            false => self.expected(format!("{mark:?}")),
        }
    }

    fn word(&mut self, what: &str) -> Parsed<&'a str> {
        match self.token {
            Token::Word(word) => {
                self.advance()?;
                Ok(word)
            }
            _ => self.expected(what),
        }
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Parsed<T> {
        match &self.token {
            Token::Word(word) => match word.parse() {
                Ok(number) => {
                    self.advance()?;
                    Ok(number)
                }
                Err(_) => self.expected(what),
            },
            _ => self.expected(what),
        }
    }

    fn float(&mut self) -> Parsed<f32> {
        match self.token {
            Token::Word(word) => match value::parse_float(word) {
                Some(float) => {
                    self.advance()?;
                    Ok(float)
                }
                None => self.expected("a float"),
            },
            _ => self.expected("a float"),
        }
    }

    fn string(&mut self) -> Parsed<String> {
        match self.token {
            Token::String(_) => match self.advance()? {
                Token::String(text) => Ok(text),
                _ => Ok(String::new()),
            },
            _ => self.expected("a string"),
        }
    }

    // Tensors.

    /// `%n`, with the place where it stands.
    fn id(&mut self) -> Parsed<(u32, Place)> {
        let place = self.place;
        self.mark('%')?;
        Ok((self.number("the number of a tensor")?, place))
    }

    fn reference(&mut self) -> Parsed<TensorId> {
        let (id, place) = self.id()?;
        self.used.push((id, place));
        Ok(TensorId(id))
    }

    /// References in parentheses, separated by commas.
    fn ids(&mut self) -> Parsed<Vec<TensorId>> {
        self.mark('(')?;
        let mut ids = Vec::new();
        if self.at('%') {
            ids.push(self.reference()?);
            while self.take(',')? {
                ids.push(self.reference()?);
            }
        }
        self.mark(')')?;
        Ok(ids)
    }

    /// Variables in parentheses, separated by commas.
    fn variables(&mut self) -> Parsed<Vec<Variable>> {
        self.mark('(')?;
        let mut variables = Vec::new();
        while self.at('%') {
            let value = self.reference()?;
            self.mark('=')?;
            let next = self.reference()?;
            let initial = match self.word_is("first") {
                true => {
                    self.advance()?;
                    Some(self.reference()?)
                }
                false => None,
            };
            variables.push(Variable { value, next, initial });
            if !self.take(',')? {
                break;
            }
        }
        self.mark(')')?;
        Ok(variables)
    }

    /// A declaration, or a bare reference to a tensor declared elsewhere; the tensor if it was declared.
    fn result(&mut self) -> Parsed<(TensorId, Option<Tensor>)> {
        let (id, place) = self.id()?;
        let source = self.source()?;
        let name = match self.token {
            Token::String(_) => Some(self.string()?),
            _ => None,
        };
        if source.is_none() && name.is_none() && !self.at(':') {
            self.used.push((id, place));
            return Ok((TensorId(id), None));
        }
        self.mark(':')?;
        let (shape, dtype) = self.data_type()?;
        let tensor = Tensor { name: name.unwrap_or_default(), shape, dtype, data: None, source };
        if self.tensors.insert(id, tensor.clone()).is_some() {
            return Err(place.error(ParseErrorKind::DeclaredTwice(id)));
        }
        Ok((TensorId(id), Some(tensor)))
    }

    fn source(&mut self) -> Parsed<Option<u32>> {
        match self.take('@')? {
            true => Ok(Some(self.number("an index in the source file")?)),
            false => Ok(None),
        }
    }

    fn data_type(&mut self) -> Parsed<(Shape, DataType)> {
        let names = || ElementType::ALL.map(ElementType::name).join(", ");
        let element = match self.token {
            Token::Word(word) => ElementType::ALL.into_iter().find(|e| e.name() == word),
            _ => None,
        };
        let Some(element) = element else { return self.expected(format!("an element type ({})", names())) };
        self.advance()?;
        self.mark('[')?;
        let mut dims = Vec::new();
        if let Token::Word(word) = self.token {
            match word.split('x').map(|d| d.parse().ok()).collect() {
                Some(sizes) => dims = sizes,
                None => return self.expected("sizes with x between them"),
            }
            self.advance()?;
        }
        self.mark(']')?;
        let dtype = match self.take('{')? {
            true => DataType::Quantised(element, self.quantisation()?),
            false => DataType::Plain(element),
        };
        Ok((Shape(dims), dtype))
    }

    /// The rest of a quantisation, after its opening brace.
    fn quantisation(&mut self) -> Parsed<Quantisation> {
        if !self.word_is("axis") {
            let scale = self.float()?;
            self.mark(';')?;
            let zero_point = self.number("a zero point")?;
            self.mark('}')?;
            return Ok(Quantisation::PerTensor { scale, zero_point });
        }
        self.advance()?;
        let axis = self.number("an axis")?;
        self.mark(':')?;
        let mut scales = Vec::new();
        while !self.at(';') && !self.at('}') {
            scales.push(self.float()?);
            if !self.take(',')? {
                break;
            }
        }
        let mut zero_points = vec![0; scales.len()];
        if self.take(';')? {
            zero_points.clear();
            while !self.at('}') {
                zero_points.push(self.number("a zero point")?);
                if !self.take(',')? {
                    break;
                }
            }
        }
        self.mark('}')?;
        Ok(Quantisation::PerChannel { axis, scales, zero_points })
    }

    // Statements.

    fn statement(&mut self) -> Parsed<Option<Operator>> {
        let mut results = Vec::new();
        if self.take('(')? {
            self.mark(')')?;
        } else if self.at('%') {
            results.push(self.result()?);
            while self.take(',')? {
                results.push(self.result()?);
            }
        } else {
            return self.expected("a statement: a tensor's declaration or an operator");
        }
        if let [(id, Some(tensor))] = results.as_slice() {
            if !self.at('=') {
                return Ok(None);
            }
            self.advance()?;
            if self.at('[') || self.word_is("splat") || self.word_is("hex") {
                let data = self.constant(tensor)?;
                if let Some(tensor) = self.tensors.get_mut(&id.0) {
                    tensor.data = Some(data.into());
                }
                return Ok(None);
            }
        } else {
            self.mark('=')?;
        }
        self.operator(results.into_iter().map(|(id, _)| id).collect()).map(Some)
    }

    fn constant(&mut self, tensor: &Tensor) -> Parsed<Vec<u8>> {
        let (element, shape) = (tensor.element(), &tensor.shape);
        if self.word_is("hex") {
            self.advance()?;
            // An empty constant has no digits; what follows then begins a statement or ends the text.
            let Token::Word(digits) = self.token else { return Ok(Vec::new()) };
            let data = value::hex(digits).ok_or_else(|| self.place.error(ParseErrorKind::Hex))?;
            self.advance()?;
            return Ok(data);
        }
        if self.word_is("splat") {
            self.advance()?;
            let place = self.place;
            let word = self.word("a value")?;
            return value::splat(word, element, shape).map_err(|kind| place.error(kind));
        }
        let start = self.place;
        self.mark('[')?;
        let (mut words, mut places) = (Vec::new(), Vec::new());
        while !self.at(']') {
            places.push(self.place);
            words.push(self.word("a value")?);
            if !self.take(',')? {
                break;
            }
        }
        self.mark(']')?;
        value::list(&words, element, shape).map_err(|(i, kind)| match kind {
            ParseErrorKind::ElementCount { .. } => start.error(kind),
            kind => places.get(i).unwrap_or(&start).error(kind),
        })
    }

    fn operator(&mut self, outputs: Vec<TensorId>) -> Parsed<Operator> {
        let place = self.place;
        let name = self.word("an operator or a constant")?.to_string();
        let source = self.source()?;
        let inputs = self.ids()?;
        let mut values = BTreeMap::new();
        while let Token::Word(key) = self.token {
            let place = self.place;
            self.advance()?;
            self.mark('=')?;
            let value = self.attribute(0)?;
            if values.insert(key.to_string(), value).is_some() {
                return Err(place.error(ParseErrorKind::RepeatedAttribute(key.into())));
            }
        }
        let mut given = Given { operator: name, values };
        let uint8 = given.flag("uint8").map_err(|kind| place.error(kind))?;
        let op = operator::build(given).map_err(|kind| place.error(kind))?;
        Ok(Operator { op, inputs, outputs, uint8, source })
    }

    fn attribute(&mut self, depth: usize) -> Parsed<Value> {
        if !self.at('[') {
            return Ok(Value::Word(self.word("the attribute's value")?.to_string()));
        }
        if depth == MOST_NESTING {
            return self.expected("a word, since lists are nested too deeply");
        }
        self.advance()?;
        let mut entries = Vec::new();
        while !self.at(']') {
            entries.push(self.attribute(depth + 1)?);
            if !self.take(',')? {
                break;
            }
        }
        self.mark(']')?;
        Ok(Value::List(entries))
    }
}
