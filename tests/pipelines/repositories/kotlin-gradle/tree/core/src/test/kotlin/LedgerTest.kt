import kotlin.test.Test
import kotlin.test.assertEquals

class LedgerTest {
    @Test fun balance() = assertEquals(3, balance(listOf(1, 2)))
}
