// How big every card is, as graph.css has it too: without it the graph would measure all of them, and draw all edges anew, at each change.
export const cardWidth = 232
export const cardHeight = 80
