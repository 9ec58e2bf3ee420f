//! `Beans`: the `components` of a file, and what references to them stand for.
//!
//! No object is made of a bean: a reference becomes a map that describes the bean, `{className, constructorArgs, properties,
//! configMethods, factory, factoryArgs}` with the parts it has, its own references resolved likewise. Beans may be in any
//! order, unlike in Storm; a bean that refers to itself is refused, and so is one that describes too much.

use std::collections::{BTreeMap, HashMap};

use smol_str::SmolStr;

use super::definition::{Argument, BeanDefinition, MethodDefinition, Reference};
use super::error::FluxError;
use super::kind::{Instance, MethodCall};
use crate::Value;

/// How long a chain of references may be.
const CHAIN_MAX: usize = 50;
/// How many values the description of one bean may have.
const VALUES_MAX: usize = 100_000;

/// The beans, with descriptions of those met so far.
pub(super) struct Beans<'a> {
    definitions: HashMap<&'a str, &'a BeanDefinition>,
    described: HashMap<SmolStr, (Value, usize)>,
    chain: Vec<SmolStr>,
}

impl<'a> Beans<'a> {
    /// All beans described, so that a wrong reference is found even in a bean that nothing uses.
    pub fn new(definitions: &'a [BeanDefinition]) -> Result<Beans<'a>, FluxError> {
        let by_id = definitions.iter().map(|bean| (bean.id.as_str(), bean)).collect();
        let mut beans = Beans { definitions: by_id, described: HashMap::new(), chain: Vec::new() };
        for bean in definitions {
            beans.reference(&Reference { id: bean.id.clone(), place: bean.place.clone() })?;
        }
        Ok(beans)
    }

    /// A bean's parts with references resolved.
    pub fn instance(&mut self, bean: &BeanDefinition) -> Result<Instance, FluxError> {
        let methods = bean.methods.iter().map(|method| self.method(method)).collect::<Result<_, _>>()?;
        let mut properties = BTreeMap::new();
        for (name, argument) in &bean.properties {
            properties.insert(name.clone(), self.argument(argument)?);
        }
        let arguments = self.arguments(&bean.arguments)?;
        self.size_of(bean)?;
        Ok(Instance { name: bean.class_name.clone(), arguments, properties, methods })
    }

    fn method(&mut self, method: &MethodDefinition) -> Result<MethodCall, FluxError> {
        Ok(MethodCall { name: method.name.clone(), arguments: self.arguments(&method.arguments)? })
    }

    fn arguments(&mut self, arguments: &[Argument]) -> Result<Vec<Value>, FluxError> {
        arguments.iter().map(|argument| self.argument(argument)).collect()
    }

    fn argument(&mut self, argument: &Argument) -> Result<Value, FluxError> {
        match argument {
            Argument::Value(value) => Ok(value.clone()),
            Argument::Reference(reference) => self.reference(reference),
            Argument::References(references) => {
                let values: Result<Vec<Value>, FluxError> = references.iter().map(|one| self.reference(one)).collect();
                values.map(Value::from)
            }
        }
    }

    fn reference(&mut self, reference: &Reference) -> Result<Value, FluxError> {
        let (id, place) = (&reference.id, &reference.place);
        if let Some((value, _)) = self.described.get(id) {
            return Ok(value.clone());
        }
        let bean = self.definitions.get(id.as_str()).copied();
        let bean = bean.ok_or_else(|| place.error(format!("found ref {id:?}, expected the id of a component")))?;
        place.ensure(!self.chain.contains(id), || format!("component {id:?} refers to itself"))?;
        place
            .ensure(self.chain.len() < CHAIN_MAX, || format!("more than {CHAIN_MAX} components refer to each other"))?;
        self.chain.push(id.clone());
        let value = self.describe(bean)?;
        self.chain.pop();
        let size = self.size_of(bean)?;
        self.described.insert(id.clone(), (value.clone(), size));
        Ok(value)
    }

    fn describe(&mut self, bean: &BeanDefinition) -> Result<Value, FluxError> {
        let instance = self.instance(bean)?;
        let mut parts: Vec<(SmolStr, Value)> = vec![("className".into(), bean.class_name.clone().into())];
        if !instance.arguments.is_empty() {
            parts.push(("constructorArgs".into(), instance.arguments.into()));
        }
        if !instance.properties.is_empty() {
            let properties: Vec<(SmolStr, Value)> = instance.properties.into_iter().collect();
            parts.push(("properties".into(), Value::Map(properties.into())));
        }
        if !instance.methods.is_empty() {
            let methods: Vec<Value> = instance.methods.into_iter().map(MethodCall::into_value).collect();
            parts.push(("configMethods".into(), methods.into()));
        }
        if let Some(factory) = &bean.factory {
            parts.push(("factory".into(), factory.clone().into()));
            parts.push(("factoryArgs".into(), self.arguments(&bean.factory_arguments)?.into()));
        }
        Ok(Value::Map(parts.into()))
    }

    /// Values in a bean whose references are described, at most [`VALUES_MAX`]: sharing keeps them small in memory, but they
    /// would be written out in full.
    fn size_of(&self, bean: &BeanDefinition) -> Result<usize, FluxError> {
        let arguments = bean.arguments.iter().chain(&bean.factory_arguments);
        let properties = bean.properties.iter().map(|(_, argument)| argument);
        let methods = bean.methods.iter().flat_map(|method| &method.arguments);
        let of_reference = |one: &Reference| self.described.get(&one.id).map_or(1, |(_, size)| *size);
        let of_argument = |argument: &Argument| match argument {
            Argument::Value(value) => values_in(value),
            Argument::Reference(one) => of_reference(one),
            Argument::References(all) => all.iter().map(of_reference).fold(0, usize::saturating_add),
        };
        let size = arguments.chain(properties).chain(methods).map(of_argument).fold(1, usize::saturating_add);
        let id = &bean.id;
        bean.place.ensure(size <= VALUES_MAX, || {
            format!("component {id:?} has more than {VALUES_MAX} values, references included")
        })?;
        Ok(size)
    }
}

fn values_in(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(values_in).fold(1, usize::saturating_add),
        Value::Map(entries) => entries.iter().map(|(_, value)| values_in(value)).fold(1, usize::saturating_add),
        _ => 1,
    }
}
