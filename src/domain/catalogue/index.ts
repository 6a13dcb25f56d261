export { catalogueImport, catalogueImported, importItems } from './import-items.ts'
export {
  changeItem,
  getItem,
  type Item,
  itemChange,
  itemFilters,
  itemView,
  listItems,
  newItem,
  removeItem,
  saveItem,
} from './items.ts'
export { sayItem, sayPrice, searchCatalogue } from './search.ts'
