import {
  catalogueImport,
  catalogueImported,
  changeItem,
  getItem,
  importItems,
  itemChange,
  itemFilters,
  itemView,
  listItems,
  newItem,
  removeItem,
  saveItem,
} from '../domain/catalogue/index.ts'
import type { RestMeta } from './rest-meta.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

function route(
  method: RestMeta['method'],
  path: RestMeta['path'],
  summary: string,
  more: Pick<RestMeta, 'description' | 'example' | 'status'> = {},
) {
  const openapi: RestMeta = { method, path, tag: 'Catalogue', summary, ...more }
  return { openapi }
}

const EXAMPLE = {
  sku: 'A12',
  name: 'Three rooms in Dizengoff',
  description: 'Third floor with an elevator, renovated.',
  priceAgorot: 290_000_000,
  pictureUrl: 'https://example.com/a12.jpg',
  attributes: { area: 'Tel Aviv', rooms: 3, size: 78 },
}

export const catalogueRouter = router({
  list: businessProcedure
    .meta(route('GET', '/catalogue-items', 'List the items of the catalogue'))
    .input(itemFilters.prefault({}))
    .output(pageOf(itemView))
    .query(({ ctx, input }) => listItems(ctx.business, input)),
  get: businessProcedure
    .meta(route('GET', '/catalogue-items/{id}', 'Get an item of the catalogue'))
    .input(byId)
    .output(itemView)
    .query(({ ctx, input }) => getItem(ctx.business, input.id)),
  save: businessProcedure
    .meta(
      route('POST', '/catalogue-items', 'Save an item of the catalogue', {
        description: 'Makes the item of this number (`sku`), or replaces it. What is left out is as in a new item.',
        example: EXAMPLE,
      }),
    )
    .input(newItem)
    .output(itemView)
    .mutation(({ ctx, input }) => saveItem(ctx.business, input)),
  update: businessProcedure
    .meta(
      route('PATCH', '/catalogue-items/{id}', 'Change an item of the catalogue', {
        description: 'What is left out stays as it is; `attributes` are replaced as a whole.',
        example: { priceAgorot: 285_000_000, state: 'reserved' },
      }),
    )
    .input(byId.extend(itemChange.shape))
    .output(itemView)
    .mutation(({ ctx, input: { id, ...change } }) => changeItem(ctx.business, id, change)),
  remove: businessProcedure
    .meta(route('DELETE', '/catalogue-items/{id}', 'Remove an item of the catalogue'))
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeItem(ctx.business, input.id)
      return OK
    }),
  importFile: businessProcedure
    .meta(
      route('POST', '/catalogue-imports', 'Import a CSV file of items', {
        description:
          'One line a row. Columns named `sku`, `name`, `description`, `price` (in whole units of the currency), `currency`, `picture`, `state` and `stock`, or in Hebrew, are read as these; each other column is an attribute. An item whose number is there already is replaced.',
        example: { csv: 'sku,name,price,rooms,area\nA12,Three rooms in Dizengoff,2900000,3,Tel Aviv\n', dryRun: true },
      }),
    )
    .input(catalogueImport)
    .output(catalogueImported)
    .mutation(({ ctx, input }) => importItems(ctx.business, input)),
})
