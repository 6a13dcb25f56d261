export const DOCS_SCRIPT = `const base = document.body.dataset.base
const box = document.getElementById('filter')
const key = document.getElementById('key')

box.addEventListener('input', () => {
  const wanted = box.value.trim().toLowerCase()
  for (const item of document.querySelectorAll('details[data-text]')) item.hidden = !item.dataset.text.includes(wanted)
  for (const group of document.querySelectorAll('section'))
    group.hidden = group.querySelectorAll('details[data-text]:not([hidden])').length === 0
})

function addressOf(form) {
  let path = form.dataset.path
  const query = new URLSearchParams()
  for (const field of form.querySelectorAll('[data-in]')) {
    const value = field.value.trim()
    if (field.dataset.in === 'path') path = path.replace('{' + field.name + '}', encodeURIComponent(value))
    else if (value !== '') query.append(field.name, value)
  }
  return base + '/api/v1' + path + (query.size > 0 ? '?' + query : '')
}

async function send(form) {
  const address = addressOf(form)
  const { method } = form.dataset
  const body = form.elements.namedItem('body')
  const headers = { Accept: 'application/json' }
  if (key.value.trim()) headers.Authorization = 'Bearer ' + key.value.trim()
  else if (localStorage.getItem('business')) headers['X-Business-Id'] = localStorage.getItem('business')
  const file = body?.files?.[0]
  if (body) headers['Content-Type'] = file ? file.type || 'application/octet-stream' : 'application/json'
  const startedAt = performance.now()
  const answer = await fetch(address, {
    method,
    headers,
    credentials: key.value.trim() ? 'omit' : 'same-origin',
    ...(body ? { body: file ?? body.value } : {}),
  })
  const type = answer.headers.get('content-type') ?? ''
  const text = /json|text|csv|ndjson/.test(type) ? await answer.text() : (await answer.blob()).size + ' bytes of ' + type
  const took = Math.round(performance.now() - startedAt)
  return method + ' ' + address + '\\n' + answer.status + ' ' + answer.statusText + ', ' + took + ' ms\\n\\n' + pretty(text, type)
}

function pretty(text, type) {
  if (!type.includes('json')) return text
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

for (const form of document.querySelectorAll('form[data-path]'))
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const output = form.querySelector('output')
    const button = form.querySelector('button')
    button.disabled = true
    try {
      output.textContent = await send(form)
    } catch (error) {
      output.textContent = 'The server cannot be reached: ' + error.message
    } finally {
      button.disabled = false
      output.hidden = false
    }
  })
`
