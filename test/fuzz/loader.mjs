/**
 * Lets Node run the fuzzer and the sources of the engine as they are, and counts what runs: `node --import ./test/fuzz/loader.mjs`.
 *
 * TypeScript is compiled file by file as it is loaded. In files of src a counter is put at the beginning of every block that may be
 * skipped: bodies of functions, branches, loops, cases, the arms of `?:` and the right sides of `&&`, `||` and `??`. What an input
 * reached says whether it is worth keeping, and the sum is its work: the same on every machine, however busy it is.
 */
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import ts from 'typescript';

const root = new URL('../../', import.meta.url);
/** Files of the engine that are counted; the fuzzer itself is not. */
const counted = new URL('src/', root).href;
const COUNTERS = '__holdfastCounters';

if (!('initialized' in globalThis) && typeof process !== 'undefined' && !import.meta.url.endsWith('?hooks')) {
  // On the side that runs the program: hand out counters, and register the hooks, which live in a thread of their own.
  if (isMainThread) register(`${import.meta.url}?hooks`);
  const blocks = { counts: new Uint32Array(1 << 17), used: 0, files: [] };
  globalThis.__holdfastBlocks = blocks;
  globalThis[COUNTERS] = (file, count) => {
    const from = blocks.used;
    blocks.used += count;
    if (blocks.used > blocks.counts.length)
      throw new Error('more blocks than counters: enlarge the table of the loader');
    blocks.files.push({ file, from, count });
    return blocks.counts.subarray(from, blocks.used);
  };
}

/** Helpers of the tests tidy up by the hooks of vitest: here it is done at the end of the process. */
const vitest = `export const afterAll = (tidy) => process.on('exit', tidy); export const afterEach = afterAll;
export const beforeAll = (prepare) => prepare(); export const beforeEach = beforeAll;`;

/** `./x.js` and `#src/x.js` of a TypeScript file mean `x.ts`. */
export async function resolve(specifier, context, next) {
  if (specifier === 'vitest')
    return { url: `data:text/javascript,${encodeURIComponent(vitest)}`, format: 'module', shortCircuit: true };
  const parent = context.parentURL ?? '';
  if (parent.endsWith('.ts') || specifier.startsWith('#src/')) {
    const url = specifier.startsWith('#src/')
      ? new URL(`src/${specifier.slice(5)}`, root)
      : specifier.startsWith('.')
        ? new URL(specifier, parent)
        : undefined;
    if (url?.pathname.endsWith('.js')) {
      url.pathname = url.pathname.replace(/\.js$/, '.ts');
      return { url: url.href, format: 'module', shortCircuit: true };
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const path = fileURLToPath(url);
  const transformers = url.startsWith(counted) ? { before: [withCounters(url.slice(counted.length))] } : {};
  const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), {
    fileName: pathToFileURL(path).href,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
      inlineSources: true,
    },
    transformers,
  });
  return { format: 'module', source: outputText, shortCircuit: true };
}

function withCounters(file) {
  return (context) => (source) => {
    const { factory } = context;
    let blocks = 0;
    const count = () =>
      factory.createPostfixIncrement(
        factory.createElementAccessExpression(factory.createIdentifier('__blocks'), blocks++),
      );
    const counting = () => factory.createExpressionStatement(count());
    const asBlock = (statement) =>
      ts.isBlock(statement)
        ? factory.updateBlock(statement, [counting(), ...statement.statements])
        : factory.createBlock([counting(), statement], true);
    const asArm = (expression) =>
      factory.createParenthesizedExpression(
        factory.createComma(count(), factory.createParenthesizedExpression(expression)),
      );

    const visit = (original) => {
      const node = ts.visitEachChild(original, visit, context);
      if (ts.isIfStatement(node)) {
        const otherwise = node.elseStatement;
        return factory.updateIfStatement(
          node,
          node.expression,
          asBlock(node.thenStatement),
          otherwise === undefined || ts.isIfStatement(otherwise) ? otherwise : asBlock(otherwise),
        );
      }
      if (ts.isForStatement(node))
        return factory.updateForStatement(
          node,
          node.initializer,
          node.condition,
          node.incrementor,
          asBlock(node.statement),
        );
      if (ts.isForOfStatement(node))
        return factory.updateForOfStatement(
          node,
          node.awaitModifier,
          node.initializer,
          node.expression,
          asBlock(node.statement),
        );
      if (ts.isForInStatement(node))
        return factory.updateForInStatement(node, node.initializer, node.expression, asBlock(node.statement));
      if (ts.isWhileStatement(node))
        return factory.updateWhileStatement(node, node.expression, asBlock(node.statement));
      if (ts.isDoStatement(node)) return factory.updateDoStatement(node, asBlock(node.statement), node.expression);
      if (ts.isCaseClause(node))
        return factory.updateCaseClause(node, node.expression, [counting(), ...node.statements]);
      if (ts.isDefaultClause(node)) return factory.updateDefaultClause(node, [counting(), ...node.statements]);
      if (ts.isCatchClause(node)) return factory.updateCatchClause(node, node.variableDeclaration, asBlock(node.block));
      if (ts.isConditionalExpression(node))
        return factory.updateConditionalExpression(
          node,
          node.condition,
          node.questionToken,
          asArm(node.whenTrue),
          node.colonToken,
          asArm(node.whenFalse),
        );
      if (ts.isBinaryExpression(node) && isLazy(node.operatorToken.kind))
        return factory.updateBinaryExpression(node, node.left, node.operatorToken, asArm(node.right));
      return withBody(node);
    };

    /** A function counts its calls. A constructor does not: nothing may stand before `super`. */
    const withBody = (node) => {
      if (node.body === undefined || ts.isConstructorDeclaration(node)) return node;
      if (ts.isFunctionDeclaration(node))
        return factory.updateFunctionDeclaration(
          ...[node, node.modifiers, node.asteriskToken, node.name, node.typeParameters, node.parameters, node.type],
          asBlock(node.body),
        );
      if (ts.isFunctionExpression(node))
        return factory.updateFunctionExpression(
          ...[node, node.modifiers, node.asteriskToken, node.name, node.typeParameters, node.parameters, node.type],
          asBlock(node.body),
        );
      if (ts.isMethodDeclaration(node))
        return factory.updateMethodDeclaration(
          ...[node, node.modifiers, node.asteriskToken, node.name, node.questionToken, node.typeParameters],
          ...[node.parameters, node.type, asBlock(node.body)],
        );
      if (ts.isArrowFunction(node) && ts.isBlock(node.body))
        return factory.updateArrowFunction(
          ...[node, node.modifiers, node.typeParameters, node.parameters, node.type, node.equalsGreaterThanToken],
          asBlock(node.body),
        );
      return node;
    };

    const visited = ts.visitEachChild(source, visit, context);
    const declaration = factory.createVariableStatement(
      undefined,
      factory.createVariableDeclarationList(
        [
          factory.createVariableDeclaration(
            '__blocks',
            undefined,
            undefined,
            factory.createCallExpression(
              factory.createPropertyAccessExpression(factory.createIdentifier('globalThis'), COUNTERS),
              undefined,
              [factory.createStringLiteral(file), factory.createNumericLiteral(blocks)],
            ),
          ),
        ],
        ts.NodeFlags.Const,
      ),
    );
    return factory.updateSourceFile(visited, [declaration, ...visited.statements]);
  };
}

function isLazy(kind) {
  return (
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken
  );
}
