package engine

// What tests outside the package need of those within: they may import stages.

type Generator struct{ g *generator }

func NewGenerator(seed uint64) Generator { return Generator{newGenerator(seed)} }

func (g Generator) Expression() string { return g.g.expression() }
func (g Generator) Event() string      { return g.g.event() }

var (
	TestScope    = testScope
	TestAccounts = testAccounts
)
