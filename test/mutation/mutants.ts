/**
 * Small defects, one at a time: every place of a source file where one token can be wrong, and what stands there then. A mutant is a
 * change of text, so that what is tested is the file as it is but for that place.
 *
 * Left out, because no test can be asked to notice: types, imports, texts of errors and everything else that a `throw` builds, and
 * assertions (`assert(...)`), which state what no input can bring about.
 */
import ts from 'typescript';

export const operators = [
  'boundary',
  'equality',
  'arithmetic',
  'logical',
  'boolean',
  'constant',
  'statement',
  'guard',
  'await',
  'branches',
] as const;
export type Operator = (typeof operators)[number];

export interface Mutant {
  /** Path from the root of the repository. */
  file: string;
  /** From 1. */
  line: number;
  operator: Operator;
  /** Where the text that is replaced begins and ends. */
  from: number;
  to: number;
  replacement: string;
  /** What must be reached for the mutant to matter: an expression, or a statement of a list of statements. */
  reach: { from: number; to: number; statement: boolean };
}

const tokens: Readonly<Record<string, readonly [Operator, string]>> = {
  '<': ['boundary', '<='],
  '<=': ['boundary', '<'],
  '>': ['boundary', '>='],
  '>=': ['boundary', '>'],
  '===': ['equality', '!=='],
  '!==': ['equality', '==='],
  '+': ['arithmetic', '-'],
  '-': ['arithmetic', '+'],
  '*': ['arithmetic', '/'],
  '/': ['arithmetic', '*'],
  '%': ['arithmetic', '*'],
  '&': ['arithmetic', '|'],
  '|': ['arithmetic', '&'],
  '^': ['arithmetic', '&'],
  '<<': ['arithmetic', '>>>'],
  '>>': ['arithmetic', '<<'],
  '>>>': ['arithmetic', '<<'],
  '+=': ['arithmetic', '-='],
  '-=': ['arithmetic', '+='],
  '|=': ['arithmetic', '&='],
  '&=': ['arithmetic', '|='],
  '&&': ['logical', '||'],
  '||': ['logical', '&&'],
};

/** Mutants of a file, in the order of its text. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
  const mutants: Mutant[] = [];
  const textOf = (node: ts.Node) => text.slice(node.getStart(source), node.end);

  function add(operator: Operator, from: number, to: number, replacement: string, reached: ts.Node, statement = false) {
    const start = reached.getStart(source);
    const { line } = source.getLineAndCharacterOfPosition(from);
    const reach = { from: start, to: reached.end, statement };
    mutants.push({ file, line: line + 1, operator, from, to, replacement, reach });
  }
  function replace(operator: Operator, node: ts.Node, replacement: string, reached = node) {
    add(operator, node.getStart(source), node.end, replacement, reached);
  }
  function remove(operator: Operator, node: ts.Statement) {
    add(operator, node.getStart(source), node.end, ';', node, true);
  }

  function visit(node: ts.Node): void {
    if (isSkipped(node)) return;
    if (ts.isBinaryExpression(node)) {
      const change = tokens[node.operatorToken.getText(source)];
      if (change !== undefined && !joinsTexts(node)) replace(change[0], node.operatorToken, change[1], node);
    } else if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
      visitUnary(node);
    } else if (node.kind === ts.SyntaxKind.TrueKeyword) replace('boolean', node, 'false');
    else if (node.kind === ts.SyntaxKind.FalseKeyword) replace('boolean', node, 'true');
    else if (ts.isNumericLiteral(node)) {
      const value = Number(node.text);
      replace('constant', node, String(value + 1));
      replace('constant', node, `(${value - 1})`);
    } else if (ts.isAwaitExpression(node)) replace('await', node, textOf(node.expression));
    else if (ts.isConditionalExpression(node)) {
      const arms = `${textOf(node.whenFalse)} : ${textOf(node.whenTrue)}`;
      add('branches', node.whenTrue.getStart(source), node.whenFalse.end, arms, node);
    } else if (ts.isIfStatement(node)) visitIf(node);
    else if (isRemovable(node)) remove('statement', node);
    ts.forEachChild(node, visit);
  }

  function visitUnary(node: ts.PrefixUnaryExpression | ts.PostfixUnaryExpression): void {
    if (node.operator === ts.SyntaxKind.ExclamationToken) replace('logical', node, textOf(node.operand));
    if (node.operator !== ts.SyntaxKind.PlusPlusToken && node.operator !== ts.SyntaxKind.MinusMinusToken) return;
    const other = node.operator === ts.SyntaxKind.PlusPlusToken ? '--' : '++';
    const operand = textOf(node.operand);
    replace('arithmetic', node, ts.isPrefixUnaryExpression(node) ? `${other}${operand}` : `${operand}${other}`);
  }

  function visitIf(node: ts.IfStatement): void {
    if (node.elseStatement !== undefined)
      replace('branches', node.expression, `!(${textOf(node.expression)})`, node.expression);
    else if (isInList(node) && leaves(node.thenStatement)) remove('guard', node);
  }

  visit(source);
  return mutants;
}

/** The source with the mutant in it. */
export function mutated(text: string, { from, to, replacement }: Mutant): string {
  return text.slice(0, from) + replacement + text.slice(to);
}

/** The source with a counter at each place that a mutant must reach: `counter(number)` is an expression. */
export function probed(
  text: string,
  mutants: readonly (readonly [number, Mutant])[],
  counter: (n: number) => string,
): string {
  const inserts: { at: number; order: number; text: string }[] = [];
  for (const [number, { reach }] of mutants) {
    const length = reach.to - reach.from;
    if (reach.statement) inserts.push({ at: reach.from, order: -Infinity, text: `${counter(number)};` });
    else {
      // Of two that begin at one place the longer is outside, of two that end at one place too.
      inserts.push({ at: reach.from, order: -length, text: `(${counter(number)},` });
      inserts.push({ at: reach.to, order: length - 1e9, text: ')' });
    }
  }
  inserts.sort((a, b) => a.at - b.at || a.order - b.order);
  let result = '';
  let done = 0;
  for (const insert of inserts) {
    result += text.slice(done, insert.at) + insert.text;
    done = insert.at;
  }
  return result + text.slice(done);
}

function isSkipped(node: ts.Node): boolean {
  if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isThrowStatement(node)) return true;
  if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return true;
  if (ts.isNewExpression(node)) return ts.isIdentifier(node.expression) && node.expression.text.endsWith('Error');
  if (ts.isCallExpression(node)) return ts.isIdentifier(node.expression) && node.expression.text === 'assert';
  // Names of members are texts too: `{ 0: ... }`.
  return ts.isNumericLiteral(node) && ts.isPropertyAssignment(node.parent) && node.parent.name === node;
}

function isInList(node: ts.Node): boolean {
  return ts.isBlock(node.parent) || ts.isSourceFile(node.parent) || ts.isCaseOrDefaultClause(node.parent);
}

function isRemovable(node: ts.Node): node is ts.Statement {
  if (!ts.isExpressionStatement(node) || !isInList(node)) return false;
  const { expression } = node;
  return !ts.isCallExpression(expression) || !/^(assert|super)$/.test(expression.expression.getText());
}

/** True for a statement that leaves the list it stands in; a guard that throws is an assertion in another dress. */
function leaves(node: ts.Statement): boolean {
  const last = ts.isBlock(node) ? node.statements.at(-1) : node;
  return (
    last !== undefined && (ts.isReturnStatement(last) || ts.isContinueStatement(last) || ts.isBreakStatement(last))
  );
}

function joinsTexts({ operatorToken, left, right }: ts.BinaryExpression): boolean {
  if (operatorToken.kind !== ts.SyntaxKind.PlusToken && operatorToken.kind !== ts.SyntaxKind.PlusEqualsToken)
    return false;
  return [left, right].some((side) => ts.isStringLiteral(side) || ts.isTemplateLiteral(side));
}
