/** Pages for people: landing page, OpenAPI document, its viewer, the list of errors. Everything is served from here. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ControlContext } from '../context.js';
import { openApi } from '../openapi.js';
import { problems } from '../problem.js';
import { type Answer, type Route, route } from '../route.js';

/** The viewer sets styles from script; nothing else is inline, and nothing comes from elsewhere. */
const VIEWER_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";
const PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}
code{background:#eee;padding:.1em .3em}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}code{background:#333}a{color:#8bf}}`;

const initializer = `window.onload=()=>{window.ui=SwaggerUIBundle({url:'/openapi.json',dom_id:'#swagger-ui',deepLinking:true,validatorUrl:null,presets:[SwaggerUIBundle.presets.apis],layout:'BaseLayout'})};`;

function page(title: string, body: string, head = '<link rel="stylesheet" href="/docs/page.css">'): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>${head}</head><body>${body}</body></html>`;
}

const landing = page(
  'Holdfast',
  `<h1>Holdfast</h1><p>Card-issuing authorization engine. This is its admin port.</p><ul>
<li><a href="/docs">API documentation</a> · <a href="/openapi.json">OpenAPI 3.1</a> · <a href="/docs/errors">errors</a></li>
<li><a href="/readyz">readiness</a> · <a href="/livez">liveness</a> · <a href="/version">version</a> · <a href="/metrics">metrics</a></li></ul>
<p>The first API token is in <code>&lt;data-dir&gt;/admin.token</code>.</p>`,
);

const viewer = page(
  'Holdfast API',
  '<div id="swagger-ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>',
  '<link rel="stylesheet" href="/docs/swagger-ui.css">',
);

function errorsPage(): string {
  const rows = Object.entries(problems).map(
    ([code, { status, title }]) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${title}</td></tr>`,
  );
  return page(
    'Holdfast errors',
    `<h1>Errors</h1><table><tr><th>code</th><th>status</th><th>meaning</th></tr>${rows.join('')}</table>`,
  );
}

function html(body: string, policy: string): Answer {
  return {
    status: 200,
    body,
    contentType: 'text/html; charset=utf-8',
    headers: { 'content-security-policy': policy },
  };
}

function file(body: string | Buffer, contentType: string): Answer {
  return { status: 200, body, contentType, headers: { 'cache-control': 'public, max-age=3600' } };
}

/** @param others every other route, for the document. */
export function docRoutes(context: ControlContext, others: readonly Route[]): Route[] {
  let document: object | undefined;
  const open = { method: 'GET', tag: 'documentation', access: 'open', idempotency: 'none' } as const;
  const answers = { 200: { description: 'The page', contentType: 'text/html' } };
  const viewerFolder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const asset = (name: string): Buffer => readFileSync(join(viewerFolder, name));
  const assets: [path: string, contentType: string, body: () => string | Buffer][] = [
    ['/docs/page.css', 'text/css', () => style],
    ['/docs/start.js', 'text/javascript', () => initializer],
    ['/docs/swagger-ui.css', 'text/css', () => asset('swagger-ui.css')],
    ['/docs/swagger-ui-bundle.js', 'text/javascript', () => asset('swagger-ui-bundle.js')],
  ];
  return [
    route({
      ...open,
      id: 'landing',
      path: '/',
      summary: 'Landing page',
      answers,
      handle: () => html(landing, PAGE_POLICY),
    }),
    route({
      ...open,
      id: 'openapi',
      path: '/openapi.json',
      summary: 'This document',
      answers: { 200: { description: 'OpenAPI 3.1', contentType: 'application/json' } },
      handle() {
        document ??= openApi([...others, ...docRoutes(context, others)], context.build.version);
        return { status: 200, body: document };
      },
    }),
    route({
      ...open,
      id: 'docs',
      path: '/docs',
      summary: 'API documentation',
      answers,
      handle: () => html(viewer, VIEWER_POLICY),
    }),
    route({
      ...open,
      id: 'errors',
      path: '/docs/errors',
      summary: 'List of error codes',
      answers,
      handle: () => html(errorsPage(), PAGE_POLICY),
    }),
    ...assets.map(([path, contentType, body]) =>
      route({
        ...open,
        id: `asset${path.replace(/\W+/g, '_')}`,
        path,
        summary: 'File of the documentation pages',
        answers: { 200: { description: 'The file', contentType } },
        handle: () => file(body(), `${contentType}; charset=utf-8`),
      }),
    ),
  ];
}
