export { getContact, listContacts } from './queries.ts'
export { type ContactIdentity, resolveContact } from './resolve-contact.ts'
