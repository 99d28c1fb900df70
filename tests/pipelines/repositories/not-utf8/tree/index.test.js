require('node:test').test('one', () => {});
