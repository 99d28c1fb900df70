CREATE TABLE IF NOT EXISTS orders (
  id          INTEGER PRIMARY KEY,
  item        TEXT    NOT NULL,
  quantity    INTEGER NOT NULL CHECK (quantity > 0),
  price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
  currency    TEXT    NOT NULL DEFAULT 'EUR',
  placed_at   TEXT    NOT NULL
);
PRAGMA user_version = 1;
