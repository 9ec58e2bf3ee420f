//! `Builder`: walks the logical plan and collects the nodes.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, SortExpr};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr, create_physical_expr, create_physical_sort_expr};
use monsoon_circuit::{CircuitPlan, Node, NodeId, Operator};

use super::refusal::Refusals;
use super::relation::Relation;
use super::share::share;
use super::{Lowered, LoweringContext};
use crate::error::SqlError;
use crate::response::Notice;

/// The nodes so far, and what is needed to make more.
pub(super) struct Builder<'a> {
    pub context: &'a LoweringContext<'a>,
    pub refusals: Refusals<'a>,
    pub nodes: Vec<Node>,
    pub properties: ExecutionProps,
    pub planning: PhysicalPlanningContext,
    notices: Vec<Notice>,
}

impl<'a> Builder<'a> {
    /// Nothing lowered yet.
    pub fn new(context: &'a LoweringContext<'a>, refusals: Refusals<'a>) -> Builder<'a> {
        Builder {
            context,
            refusals,
            nodes: Vec::new(),
            properties: super::expression::view_properties(),
            planning: PhysicalPlanningContext::default(),
            notices: Vec::new(),
        }
    }

    /// Lowers a whole query.
    pub fn build(mut self, plan: &LogicalPlan) -> Result<Lowered, SqlError> {
        let output = self.relation(plan)?;
        self.name_output(&output)?;
        self.check_emission()?;
        let key = output.facts.key.unwrap_or_default();
        let plan = share(CircuitPlan { nodes: self.nodes, key });
        Ok(Lowered { plan, notices: self.notices })
    }

    /// Lowers a part of the query.
    pub fn relation(&mut self, plan: &LogicalPlan) -> Result<Relation, SqlError> {
        match plan {
            LogicalPlan::Projection(projection) => {
                let input = self.relation(&projection.input)?;
                self.project(input, &projection.expr, &projection.schema)
            }
            LogicalPlan::Filter(filter) => self.filter(&filter.predicate, &filter.input),
            LogicalPlan::Window(window) => self.window(window, None),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Sort(sort) => self.sort(sort, None),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::EmptyRelation(empty) => self.empty(&empty.schema, empty.produce_one_row),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.relation(&alias.input)?;
                Ok(Relation { schema: Arc::clone(&alias.schema), ..input })
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::Repartition(repartition) => self.relation(&repartition.input),
            other => Err(self.refused(other)),
        }
    }

    /// Adds a node.
    pub fn push(&mut self, operator: Operator, inputs: Vec<NodeId>, schema: SchemaRef) -> NodeId {
        self.nodes.push(Node { operator, inputs, schema });
        self.nodes.len() - 1
    }

    /// The last node, if it is `node` and so has no reader yet: it may be changed in place.
    pub fn last_mut(&mut self, node: NodeId) -> Option<&mut Node> {
        if node + 1 == self.nodes.len() { self.nodes.last_mut() } else { None }
    }

    /// Compiles an expression over a relation's columns.
    pub fn physical(&self, expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>, SqlError> {
        create_physical_expr(expression, schema, &self.properties, &self.planning)
            .map_err(|error| self.refusals.datafusion(error))
    }

    /// Compiles several.
    pub fn physical_all(
        &self,
        expressions: &[Expr],
        schema: &DFSchema,
    ) -> Result<Vec<Arc<dyn PhysicalExpr>>, SqlError> {
        expressions.iter().map(|expression| self.physical(expression, schema)).collect()
    }

    /// Compiles an ORDER BY.
    pub fn physical_order(&self, order: &[SortExpr], schema: &DFSchema) -> Result<Vec<PhysicalSortExpr>, SqlError> {
        order
            .iter()
            .map(|part| create_physical_sort_expr(part, schema, &self.properties, &self.planning))
            .collect::<Result<_, _>>()
            .map_err(|error| self.refusals.datafusion(error))
    }

    /// Remembers something to tell the user, once.
    pub fn notice(&mut self, message: impl Into<String>) {
        let notice = Notice { severity: "NOTICE", sqlstate: "00000", message: message.into() };
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// Names of the output's columns are the query's, whatever the last operator calls them.
    fn name_output(&mut self, output: &Relation) -> Result<(), SqlError> {
        let node = &self.nodes[output.node];
        let wanted = named(output.schema.inner(), &node.schema)?;
        if wanted.fields() == node.schema.fields() {
            return Ok(());
        }
        if let Some(node) = self.last_mut(output.node)
            && makes_rows(&node.operator)
        {
            node.schema = wanted;
            return Ok(());
        }
        let expressions = super::expression::columns(&wanted);
        self.push(Operator::Project { expressions }, vec![output.node], wanted);
        Ok(())
    }

    fn refused(&self, plan: &LogicalPlan) -> SqlError {
        let (what, why) = match plan {
            LogicalPlan::RecursiveQuery(_) => ("WITH RECURSIVE", "circuits have no fixpoint operator yet"),
            LogicalPlan::Subquery(_) => ("a LATERAL subquery", "it can't be turned into a join here"),
            LogicalPlan::Extension(extension) => {
                return SqlError::unsupported(format!(
                    "a view can't contain {}: it has no incremental form",
                    extension.node.name()
                ));
            }
            _ => ("this statement", "it isn't a query"),
        };
        let message = format!("{what} can't be kept up to date: {why}");
        match plan {
            LogicalPlan::RecursiveQuery(_) => self.refusals.at_name(message, "recursive"),
            _ => self.refusals.at(message, &plan.expressions()),
        }
    }
}

/// Whether the operator builds its rows, with its node's names, and doesn't just pass some on.
fn makes_rows(operator: &Operator) -> bool {
    !matches!(operator, Operator::Input { .. } | Operator::Values { .. } | Operator::Filter { .. })
}

/// The names (and metadata) of `names` on the columns of `columns`, whose types and nullability are what is really there.
pub(super) fn named(names: &SchemaRef, columns: &SchemaRef) -> Result<SchemaRef, SqlError> {
    if names.fields().len() != columns.fields().len() {
        return Err(SqlError::internal("lowering lost count of the columns"));
    }
    let fields = names.fields().iter().zip(columns.fields()).map(|(name, column)| {
        if name.data_type() != column.data_type() {
            let text =
                format!("lowering gives column {} type {} for {}", name.name(), column.data_type(), name.data_type());
            return Err(SqlError::internal(text));
        }
        Ok(name.as_ref().clone().with_nullable(column.is_nullable()))
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?)))
}

/// A logical schema with the nullability that the node's columns really have.
pub(super) fn with_nullability(schema: &DFSchemaRef, nullable: impl IntoIterator<Item = bool>) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .zip(nullable)
        .map(|(field, nullable)| field.as_ref().clone().with_nullable(nullable || field.is_nullable()))
        .collect();
    Arc::new(Schema::new(fields))
}
