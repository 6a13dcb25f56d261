import type { BunPlugin } from 'bun'
import compileMessage from 'icu-minify/compile'

type Messages = { [key: string]: string | Messages }

/** Messages are compiled ahead, so that no parser of ICU messages is sent to browsers. */
export const compileMessages: BunPlugin = {
  name: 'compile-messages',
  setup(build) {
    build.onLoad({ filter: /\/console\/messages\/(?:he|en)\/index\.ts$/ }, async ({ path }) => {
      const { messages } = await import(path)
      return { contents: `export const messages = ${JSON.stringify(compileAll(messages))}`, loader: 'js' }
    })
  },
}

function compileAll(messages: Messages): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(messages).map(([key, value]) => [
      key,
      typeof value === 'string' ? compileMessage(value) : compileAll(value),
    ]),
  )
}

/** `use-intl` with the formatter of compiled messages alone. */
export const useCompiledMessages: BunPlugin = {
  name: 'use-compiled-messages',
  setup(build) {
    build.onResolve({ filter: /^use-intl\/format-message$/ }, () => ({
      path: Bun.resolveSync('use-intl/format-message/format-only', import.meta.dir),
    }))
  },
}

/** The components carry their texts in some thirty languages; the console speaks two. */
export const keepTwoLocales: BunPlugin = {
  name: 'keep-two-locales',
  setup(build) {
    build.onLoad({ filter: /react-(?:aria|stately)[^\n]*\/[a-z]{2}-[A-Z]{2}\.m?js$/ }, ({ path }) =>
      /\/(?:he-IL|en-US)\.m?js$/.test(path) ? undefined : { contents: 'export default {}', loader: 'js' },
    )
  },
}
